#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace tenon {
namespace {

Error system_error(std::string_view what, const std::string& path) {
  const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::io;
  return fail(kind, "{} '{}': {}", what, path, std::strerror(errno));
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return system_error("cannot open", path);
  struct stat info = {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    const bool regular = S_ISREG(info.st_mode);
    Error error = regular ? system_error("cannot read", path) : fail(ErrorKind::io, "'{}' is not a regular file", path);
    ::close(fd);
    return error;
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* at = size ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
  if (size && at == MAP_FAILED) {
    Error error = system_error("cannot map", path);
    ::close(fd);
    return error;
  }
  ::close(fd);
  return std::shared_ptr<const MappedFile>(new MappedFile({static_cast<const std::byte*>(at), size}));
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

Result<void> write_file(const std::string& path, ByteView bytes) {
  const std::string temporary = strf("{}.part.{}", path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return system_error("cannot write", temporary);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      Error error = system_error("cannot write", temporary);
      ::close(fd);
      ::unlink(temporary.c_str());
      return error;
    }
    done += static_cast<size_t>(wrote);
  }
  if (::close(fd) != 0 || std::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = system_error("cannot write", path);
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

Result<std::string> read_text(const std::string& path) {
  TENON_TRY(file, MappedFile::open(path));
  return std::string(text_of(file->bytes()));
}

}  // namespace tenon
