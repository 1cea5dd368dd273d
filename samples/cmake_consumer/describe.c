/* Prints the inputs and outputs of an engine file: describe digits.engine */
#include <stdio.h>
#include <tenon/c.h>

static int fail(void) {
  fprintf(stderr, "describe: %s\n", tenon_last_error());
  return 1;
}

static int list(const tenon_engine* engine, tenon_io io, const char* title) {
  int64_t count = 0;
  if (tenon_engine_io_count(engine, io, &count)) return fail();
  for (int64_t i = 0; i < count; ++i) {
    tenon_io_info info = {.size = sizeof info};
    if (tenon_engine_io_info(engine, io, i, &info)) return fail();
    printf("%s %s: %s\n", title, info.name, info.type_text);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: describe ENGINE\n");
    return 2;
  }
  tenon_engine* engine = NULL;
  if (tenon_engine_load_file(argv[1], NULL, &engine)) return fail();
  const char* target = "";
  int status = tenon_engine_target(engine, &target) ? fail() : 0;
  printf("tenon %s, plan for %s\n", tenon_version(), target);
  if (!status) status = list(engine, TENON_IO_INPUT, "input");
  if (!status) status = list(engine, TENON_IO_OUTPUT, "output");
  tenon_engine_free(engine);
  return status;
}
