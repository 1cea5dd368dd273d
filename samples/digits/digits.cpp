// Reads handwritten digits: builds an engine from digits.onnx (or loads one), classifies 256 images, draws some of them, and prints
// predictions, accuracy and latency. Uses the public headers only.
//
//   digits [--device DEVICE] [ENGINE [FOLDER]]      for example: digits --device cuda:0 digits.engine samples/digits
//
// ENGINE is loaded if it is there, else built from FOLDER/digits.onnx and saved. FOLDER, samples/digits if not given, holds the model
// and the images. DEVICE: cpu, cuda (the first GPU), cuda:1. Exit code: 0 if at least 98 % are read right.
#include <tenon/build.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

constexpr int64_t kSide = 28, kPixels = kSide * kSide, kClasses = 10;
constexpr double kWantedAccuracy = 0.98;

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "digits: %s\n", what.c_str());
  std::exit(1);
}
template <class T>
T take(tenon::Result<T> result) {
  if (!result) give_up(result.error().message);
  return *std::move(result);
}
void expect(const tenon::Status& status) {
  if (!status) give_up(status.error().message);
}

std::vector<uint8_t> read_file(const std::filesystem::path& path, size_t skip) {
  std::ifstream file(path, std::ios::binary);
  if (!file) give_up("cannot open " + path.string());
  std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < skip) give_up(path.string() + " is too short");
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(skip));
  return bytes;
}

struct Images {
  std::vector<float> pixels;  // [count, 1, 28, 28], 0 (background) to 1 (ink)
  std::vector<uint8_t> labels;
  int64_t count() const { return static_cast<int64_t>(labels.size()); }
  std::span<const float> image(int64_t i) const { return std::span(pixels).subspan(static_cast<size_t>(i * kPixels), kPixels); }
};

Images read_images(const std::filesystem::path& folder) {
  // idx files: a header of 4 bytes and 4 more for each dim, then the bytes.
  const std::vector<uint8_t> bytes = read_file(folder / "test-images.idx3-ubyte", 16);
  Images out{.pixels = {}, .labels = read_file(folder / "test-labels.idx1-ubyte", 8)};
  if (bytes.size() != out.labels.size() * kPixels) give_up("the images and the labels differ in number");
  for (const uint8_t byte : bytes) out.pixels.push_back(static_cast<float>(byte) / 255);
  return out;
}

tenon::HostMemory build(const std::string& model, const std::string& device) {
  tenon::Network network;
  tenon::OnnxParser parser(network);
  expect(parser.parse_file(model));
  tenon::BuilderConfig config;
  if (!device.empty()) config.targets = {device};  // "cuda" is the architecture of this machine's GPU
  config.progress = [](std::string_view stage, double share) {
    if (isatty(STDERR_FILENO))
      std::fprintf(stderr, "\r\033[K%3.0f %% %.*s%s", share * 100, static_cast<int>(stage.size()), stage.data(), share >= 1 ? "\n" : "");
    return true;
  };
  return take(tenon::Builder().build(network, config));
}

tenon::Engine open_engine(const std::string& model, const std::string& path, const std::string& device) {
  const tenon::Runtime runtime;
  if (!path.empty() && std::filesystem::exists(path)) return take(runtime.load(path, {.device = device}));
  const tenon::HostMemory file = build(model, device);
  if (!path.empty()) {
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    if (!out.flush()) give_up("cannot write " + path);
  }
  return take(runtime.deserialize(file, {.device = device}));
}

int digit_of(std::span<const float> logits) { return static_cast<int>(std::ranges::max_element(logits) - logits.begin()); }

/// Runs images [first, first + count) and returns the seconds it took.
double classify(tenon::ExecutionContext& context, const Images& images, int64_t first, int64_t count, std::vector<int>& guesses) {
  const auto pixels = std::span(images.pixels).subspan(static_cast<size_t>(first * kPixels), static_cast<size_t>(count * kPixels));
  const auto start = std::chrono::steady_clock::now();
  expect(context.set_input("image", pixels, {count, 1, kSide, kSide}));
  expect(context.run());
  const auto end = std::chrono::steady_clock::now();
  const auto logits = take(context.output("logits")).as<float>();
  for (int64_t i = 0; i < count; ++i)
    guesses[static_cast<size_t>(first + i)] = digit_of(logits.subspan(static_cast<size_t>(i * kClasses), kClasses));
  return std::chrono::duration<double>(end - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// The middle 20 × 20 pixels, where the ink is: one line of text for each two rows. A terminal gets half blocks in shades of grey.
std::string picture_line(std::span<const float> image, int64_t line, bool terminal) {
  static constexpr std::string_view kShades = " .:-=+*#%@";
  std::string out;
  for (int64_t x = 4; x < 24; ++x) {
    const auto row = static_cast<size_t>((4 + 2 * line) * kSide + x);
    const float top = image[row], bottom = image[row + kSide];
    if (terminal) {
      const auto grey = [](float value) { return std::to_string(232 + static_cast<int>(value * 23)); };
      out += "\033[38;5;" + grey(top) + ";48;5;" + grey(bottom) + "m\u2580";
    } else {
      out += kShades[static_cast<size_t>((top + bottom) / 2 * 9.99F)];
    }
  }
  return terminal ? out + "\033[0m" : out;
}

void draw(const Images& images, const std::vector<int>& guesses, const std::vector<int64_t>& which) {
  static constexpr size_t kPerRow = 5;
  const bool terminal = isatty(STDOUT_FILENO);
  for (size_t first = 0; first < which.size(); first += kPerRow) {
    const auto row = std::span(which).subspan(first, std::min(kPerRow, which.size() - first));
    for (int64_t line = 0; line < 10; ++line) {
      for (const int64_t i : row) std::printf("%s  ", picture_line(images.image(i), line, terminal).c_str());
      std::printf("\n");
    }
    for (const int64_t i : row) {
      const int digit = guesses[static_cast<size_t>(i)], label = images.labels[static_cast<size_t>(i)];
      const std::string number = "#" + std::to_string(i) + ": " + std::to_string(digit);
      const std::string text = digit == label ? number : number + ", WRONG, is " + std::to_string(label);
      const bool red = terminal && digit != label;
      std::printf("%s%-20s%s  ", red ? "\033[1;31m" : "", text.c_str(), red ? "\033[0m" : "");
    }
    std::printf("\n\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::string device;
  if (arguments.size() >= 2 && arguments[0] == "--device") {
    device = arguments[1];
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  if (arguments.size() > 2 || (!arguments.empty() && arguments[0].starts_with('-'))) {
    std::fprintf(stderr,
                 "usage: digits [--device DEVICE] [ENGINE [FOLDER]]    for example: digits --device cuda:0 digits.engine samples/digits\n");
    return 2;
  }
  const std::string path = arguments.empty() ? "" : arguments[0], data = arguments.size() > 1 ? arguments[1] : "samples/digits";

  const Images images = read_images(data);
  const tenon::Engine engine = open_engine(data + "/digits.onnx", path, device);
  tenon::ExecutionContext context = take(engine.create_context());

  std::vector<int> guesses(images.labels.size()), batch_guesses(images.labels.size());
  std::vector<double> single, batch;
  for (int64_t i = 0; i < images.count(); ++i) single.push_back(classify(context, images, i, 1, guesses));
  for (int round = 0; round < 5; ++round) batch.push_back(classify(context, images, 0, images.count(), batch_guesses));

  std::vector<int64_t> shown, wrong;
  for (int64_t i = 0; i < images.count(); ++i) {
    if (guesses[static_cast<size_t>(i)] != batch_guesses[static_cast<size_t>(i)])
      give_up("image " + std::to_string(i) + " is read differently alone and in a batch");
    const bool right = guesses[static_cast<size_t>(i)] == images.labels[static_cast<size_t>(i)];
    if (!right) wrong.push_back(i);
    if (right && shown.size() < 10 - std::min<size_t>(5, wrong.size())) shown.push_back(i);
  }
  shown.insert(shown.end(), wrong.begin(), wrong.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(5, wrong.size())));
  draw(images, guesses, shown);

  std::printf("predictions:");
  for (int64_t i = 0; i < images.count(); ++i) {
    if (i % 32 == 0) std::printf("\n  ");
    const bool right = guesses[static_cast<size_t>(i)] == images.labels[static_cast<size_t>(i)];
    std::printf(right ? " %d " : "[%d]", guesses[static_cast<size_t>(i)]);
  }
  const auto right = images.count() - static_cast<int64_t>(wrong.size());
  const double accuracy = static_cast<double>(right) / static_cast<double>(images.count());
  std::printf("\n\naccuracy: %lld of %lld, %.2f %%\n", static_cast<long long>(right), static_cast<long long>(images.count()),
              accuracy * 100);
  std::printf("latency (plan for %s, median): %.1f us per image alone, %.1f us per image in a batch of %lld\n", engine.target().c_str(),
              median(single) * 1e6, median(batch) * 1e6 / static_cast<double>(images.count()), static_cast<long long>(images.count()));
  return accuracy >= kWantedAccuracy ? 0 : 1;
}
