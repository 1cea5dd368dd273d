// Readers of image files from the system's libraries. Their headers are not needed: what is called here takes handles, and the three
// structs are part of each library's binary interface.
#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "ops/image_files.h"

namespace tenon::ops {
namespace {

/// A library, opened once and kept open.
class ImageLibrary {
 public:
  ImageLibrary(const char* file, const char* package) : file_(file), package_(package), handle_(::dlopen(file, RTLD_NOW | RTLD_LOCAL)) {}
  Result<void> there() const {
    if (handle_) return {};
    return fail(ErrorKind::not_found, "{}, which reads such images, is not installed: apt-get install {}", file_, package_);
  }
  template <class F>
  bool find(F& function, const char* name) const {
    function = reinterpret_cast<F>(::dlsym(handle_, name));
    return function != nullptr;
  }
  Error lacks_function() const { return {ErrorKind::not_found, strf("{} is of a version that lacks what is needed", file_)}; }

 private:
  const char* file_;
  const char* package_;
  void* handle_;
};

const unsigned char* bytes_of(ByteView file) { return reinterpret_cast<const unsigned char*>(file.data()); }

/// Four bytes a pixel, alpha or anything last → three.
void drop_fourth(const uint8_t* from, RgbImage& to) {
  for (size_t i = 0; i < to.pixels.size(); i += 3, from += 4) std::memcpy(&to.pixels[i], from, 3);
}

}  // namespace

Result<RgbImage> read_jpeg(ByteView file) {
  static const ImageLibrary library("libturbojpeg.so.0", "libturbojpeg0");
  TENON_OK(library.there());
  void* (*init)() = nullptr;
  int (*header)(void*, const unsigned char*, unsigned long, int*, int*, int*, int*) = nullptr;
  int (*decompress)(void*, const unsigned char*, unsigned long, unsigned char*, int, int, int, int, int) = nullptr;
  int (*destroy)(void*) = nullptr;
  if (!library.find(init, "tjInitDecompress") || !library.find(header, "tjDecompressHeader3") ||
      !library.find(decompress, "tjDecompress2") || !library.find(destroy, "tjDestroy"))
    return library.lacks_function();
  constexpr int kRgb = 0, kAccurateDct = 4096;
  const std::unique_ptr<void, int (*)(void*)> reader(init(), destroy);
  if (!reader) return fail(ErrorKind::out_of_memory, "no reader of JPEG");
  int width = 0, height = 0, subsampling = 0, colors = 0;
  if (header(reader.get(), bytes_of(file), file.size(), &width, &height, &subsampling, &colors) != 0) return fail("a broken JPEG file");
  TENON_TRY(image, make_image(width, height));
  if (decompress(reader.get(), bytes_of(file), file.size(), image.pixels.data(), width, 0, height, kRgb, kAccurateDct) != 0)
    return fail("a broken JPEG file");
  return std::move(image);
}

Result<RgbImage> read_png(ByteView file) {
  static const ImageLibrary library("libpng16.so.16", "libpng16-16");
  TENON_OK(library.there());
  struct PngImage {  // png_image of libpng's simplified interface
    void* opaque = nullptr;
    uint32_t version = 1, width = 0, height = 0, format = 0, flags = 0, colormap_entries = 0, warning_or_error = 0;
    char message[64] = {};
  };
  int (*begin)(PngImage*, const void*, size_t) = nullptr;
  int (*finish)(PngImage*, const void*, void*, int32_t, void*) = nullptr;
  void (*release)(PngImage*) = nullptr;
  if (!library.find(begin, "png_image_begin_read_from_memory") || !library.find(finish, "png_image_finish_read") ||
      !library.find(release, "png_image_free"))
    return library.lacks_function();
  constexpr uint32_t kRgba = 3;
  PngImage png;
  const std::unique_ptr<PngImage, void (*)(PngImage*)> guard(&png, release);
  if (!begin(&png, file.data(), file.size())) return fail("a broken PNG file: {}", png.message);
  TENON_TRY(image, make_image(png.width, png.height));
  std::vector<uint8_t> wide(image.pixels.size() / 3 * 4);
  png.format = kRgba;
  if (!finish(&png, nullptr, wide.data(), 0, nullptr)) return fail("a broken PNG file: {}", png.message);
  drop_fourth(wide.data(), image);
  return std::move(image);
}

Result<RgbImage> read_webp(ByteView file) {
  static const ImageLibrary library("libwebp.so.7", "libwebp7");
  TENON_OK(library.there());
  int (*info)(const uint8_t*, size_t, int*, int*) = nullptr;
  uint8_t* (*decode)(const uint8_t*, size_t, uint8_t*, size_t, int) = nullptr;
  if (!library.find(info, "WebPGetInfo") || !library.find(decode, "WebPDecodeRGBInto")) return library.lacks_function();
  int width = 0, height = 0;
  if (!info(bytes_of(file), file.size(), &width, &height)) return fail("a broken WebP file");
  TENON_TRY(image, make_image(width, height));
  if (!decode(bytes_of(file), file.size(), image.pixels.data(), image.pixels.size(), width * 3)) return fail("a broken WebP file");
  return std::move(image);
}

namespace {

/// A file in memory, for libraries that read through callbacks.
struct MemoryFile {
  ByteView bytes;
  int64_t at = 0;

  int64_t size() const { return static_cast<int64_t>(bytes.size()); }
  int64_t read(void* to, int64_t count) {
    const int64_t there = std::clamp<int64_t>(size() - at, 0, std::max<int64_t>(count, 0));
    if (there > 0) std::memcpy(to, bytes.data() + at, static_cast<size_t>(there));
    at += there;
    return there;
  }
  bool seek(int64_t to) {
    if (to < 0 || to > size()) return false;
    at = to;
    return true;
  }
};
MemoryFile& file_of(void* handle) { return *static_cast<MemoryFile*>(handle); }

int64_t tiff_read(void* handle, void* to, int64_t count) { return file_of(handle).read(to, count); }
int64_t tiff_write(void*, void*, int64_t) { return 0; }
uint64_t tiff_seek(void* handle, uint64_t to, int from) {
  MemoryFile& file = file_of(handle);
  const int64_t base = from == SEEK_SET ? 0 : from == SEEK_CUR ? file.at : file.size();
  return file.seek(base + static_cast<int64_t>(to)) ? static_cast<uint64_t>(file.at) : UINT64_MAX;
}
int tiff_close(void*) { return 0; }
uint64_t tiff_size(void* handle) { return static_cast<uint64_t>(file_of(handle).size()); }

}  // namespace

Result<RgbImage> read_tiff(ByteView file) {
  static const ImageLibrary library("libtiff.so.6", "libtiff6");
  TENON_OK(library.there());
  using Read = int64_t (*)(void*, void*, int64_t);
  void* (*open)(const char*, const char*, void*, Read, Read, uint64_t (*)(void*, uint64_t, int), int (*)(void*), uint64_t (*)(void*), void*,
                void*) = nullptr;
  int (*field)(void*, uint32_t, ...) = nullptr;
  int (*read)(void*, uint32_t, uint32_t, uint32_t*, int, int) = nullptr;
  void (*close)(void*) = nullptr;
  void* (*on_warning)(void*) = nullptr;
  void* (*on_error)(void*) = nullptr;
  if (!library.find(open, "TIFFClientOpen") || !library.find(field, "TIFFGetField") || !library.find(read, "TIFFReadRGBAImageOriented") ||
      !library.find(close, "TIFFClose") || !library.find(on_warning, "TIFFSetWarningHandler") ||
      !library.find(on_error, "TIFFSetErrorHandler"))
    return library.lacks_function();
  on_warning(nullptr);  // they print
  on_error(nullptr);
  constexpr uint32_t kWidth = 256, kHeight = 257;
  constexpr int kTopLeft = 1;
  MemoryFile memory{file};
  const std::unique_ptr<void, void (*)(void*)> tiff(
      open("image", "rm", &memory, tiff_read, tiff_write, tiff_seek, tiff_close, tiff_size, nullptr, nullptr), close);
  if (!tiff) return fail("a broken TIFF file");
  uint32_t width = 0, height = 0;
  if (!field(tiff.get(), kWidth, &width) || !field(tiff.get(), kHeight, &height)) return fail("a TIFF file without a size");
  TENON_TRY(image, make_image(width, height));
  std::vector<uint32_t> wide(image.pixels.size() / 3);  // red lowest
  if (!read(tiff.get(), width, height, wide.data(), kTopLeft, 1)) return fail("a broken TIFF file");
  drop_fourth(reinterpret_cast<const uint8_t*>(wide.data()), image);
  return std::move(image);
}

namespace {

struct J2kComponent {  // opj_image_comp_t of OpenJPEG 2
  uint32_t dx = 0, dy = 0, width = 0, height = 0, x0 = 0, y0 = 0, precision = 0, bpp = 0, is_signed = 0, resolutions = 0, factor = 0;
  int32_t* data = nullptr;
  uint16_t alpha = 0;
};
struct J2kImage {  // opj_image_t, its beginning
  uint32_t x0 = 0, y0 = 0, x1 = 0, y1 = 0, component_count = 0;
  int32_t color_space = 0;
  J2kComponent* components = nullptr;
};

size_t j2k_read(void* to, size_t count, void* handle) {
  const int64_t there = file_of(handle).read(to, static_cast<int64_t>(count));
  return there > 0 ? static_cast<size_t>(there) : SIZE_MAX;
}
int64_t j2k_skip(int64_t count, void* handle) { return file_of(handle).seek(file_of(handle).at + count) ? count : -1; }
int j2k_seek(int64_t to, void* handle) { return file_of(handle).seek(to) ? 1 : 0; }

struct J2kFunctions {
  void* (*create)(int) = nullptr;
  void (*destroy)(void*) = nullptr;
  void (*defaults)(void*) = nullptr;
  int (*setup)(void*, void*) = nullptr;
  void* (*stream)(int) = nullptr;
  void (*end_stream)(void*) = nullptr;
  void (*on_read)(void*, size_t (*)(void*, size_t, void*)) = nullptr;
  void (*on_skip)(void*, int64_t (*)(int64_t, void*)) = nullptr;
  void (*on_seek)(void*, int (*)(int64_t, void*)) = nullptr;
  void (*user_data)(void*, void*, void (*)(void*)) = nullptr;
  void (*length)(void*, uint64_t) = nullptr;
  int (*header)(void*, void*, J2kImage**) = nullptr;
  int (*decode)(void*, void*, J2kImage*) = nullptr;
  void (*end_image)(J2kImage*) = nullptr;

  bool find(const ImageLibrary& from) {
    return from.find(create, "opj_create_decompress") && from.find(destroy, "opj_destroy_codec") &&
           from.find(defaults, "opj_set_default_decoder_parameters") && from.find(setup, "opj_setup_decoder") &&
           from.find(stream, "opj_stream_default_create") && from.find(end_stream, "opj_stream_destroy") &&
           from.find(on_read, "opj_stream_set_read_function") && from.find(on_skip, "opj_stream_set_skip_function") &&
           from.find(on_seek, "opj_stream_set_seek_function") && from.find(user_data, "opj_stream_set_user_data") &&
           from.find(length, "opj_stream_set_user_data_length") && from.find(header, "opj_read_header") &&
           from.find(decode, "opj_decode") && from.find(end_image, "opj_image_destroy");
  }
};

}  // namespace

Result<RgbImage> read_jpeg2000(ByteView file) {
  static const ImageLibrary library("libopenjp2.so.7", "libopenjp2-7");
  TENON_OK(library.there());
  J2kFunctions f;
  if (!f.find(library)) return library.lacks_function();
  constexpr int kCodestream = 0, kJp2 = 2;
  const bool boxed = bytes_of(file)[0] == 0;
  const std::unique_ptr<void, void (*)(void*)> codec(f.create(boxed ? kJp2 : kCodestream), f.destroy), stream(f.stream(1), f.end_stream);
  alignas(16) uint8_t parameters[1 << 16] = {};  // opj_dparameters_t, of which only the defaults matter; it has about 12 kB
  f.defaults(parameters);
  MemoryFile memory{file};
  if (!codec || !stream || !f.setup(codec.get(), parameters)) return fail(ErrorKind::out_of_memory, "no reader of JPEG 2000");
  f.on_read(stream.get(), j2k_read);
  f.on_skip(stream.get(), j2k_skip);
  f.on_seek(stream.get(), j2k_seek);
  f.user_data(stream.get(), &memory, nullptr);
  f.length(stream.get(), file.size());
  J2kImage* raw = nullptr;
  const bool started = f.header(stream.get(), codec.get(), &raw) != 0;
  const std::unique_ptr<J2kImage, void (*)(J2kImage*)> decoded(raw, f.end_image);
  if (!started || !raw || raw->component_count < 1 || raw->x1 < raw->x0 || raw->y1 < raw->y0) return fail("a broken JPEG 2000 file");
  TENON_TRY(image, make_image(raw->x1 - raw->x0, raw->y1 - raw->y0));
  if (!f.decode(codec.get(), stream.get(), raw)) return fail("a broken JPEG 2000 file");
  for (int64_t c = 0; c < 3; ++c) {
    const J2kComponent& from = raw->components[raw->component_count < 3 ? 0 : c];
    if (from.width != image.width || from.height != image.height || !from.data || from.precision < 1 || from.precision > 16)
      return fail(ErrorKind::unsupported, "a JPEG 2000 file with components of other sizes, or of {} bits", from.precision);
    const int64_t most = (int64_t{1} << from.precision) - 1, shift = from.is_signed ? int64_t{1} << (from.precision - 1) : 0;
    for (int64_t i = 0; i < image.width * image.height; ++i)
      image.pixels[static_cast<size_t>(i * 3 + c)] = static_cast<uint8_t>(std::clamp<int64_t>(from.data[i] + shift, 0, most) * 255 / most);
  }
  return std::move(image);
}

}  // namespace tenon::ops
