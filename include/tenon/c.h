/* tenon/c.h: the C interface of the Tenon runtime (libtenon-run). It loads an engine file, runs it, and reads results.
 *
 * Stability: this interface only grows. Functions, enumerators and struct fields keep their meaning; structs that the caller
 * fills begin with `size`, set to sizeof the struct, so that programs built against an older header keep working.
 *
 * Errors: every function that can fail returns a tenon_status. Where it is not TENON_STATUS_OK, tenon_last_error() gives the
 * message of this thread's last failure, and what the out parameters point to is unchanged.
 *
 * Ownership: what a function hands out through a pointer to a handle (tenon_engine**, tenon_context**, tenon_value**, void**
 * of tenon_engine_serialize) belongs to the caller, who gives it back with the matching _free. Freeing NULL does nothing. A
 * context keeps its engine alive and a value keeps its memory alive, so handles may be freed in any order. Other pointers that
 * a function hands out belong to the handle that they came from.
 *
 * Threads: an engine may be used by any number of threads at once. A context and a value belong to one thread at a time.
 *
 * Tensors are dense and row-major, aligned to their element size, and lie in host memory where nothing says otherwise. Sub-byte elements
 * (u4, i4, f4e2m1, u2, i2) are packed, low bits first. A 6-bit float (f6e2m3, f6e3m2) is one byte, its high bits 0, and bool is one byte,
 * 0 or 1.
 */
#ifndef TENON_C_H
#define TENON_C_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TENON_API __attribute__((visibility("default")))
#else
#define TENON_API
#endif

/* Enumerations are as wide as int; in C++ any number that a caller passes is a value of them, so that a wrong one is refused. */
#ifdef __cplusplus
#define TENON_INT : int32_t
#else
#define TENON_INT
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tenon_status TENON_INT {
  TENON_STATUS_OK = 0,
  TENON_STATUS_INVALID_ARGUMENT = 1, /* the caller's values are wrong */
  TENON_STATUS_INVALID_MODEL = 2,    /* the ONNX file breaks the specification */
  TENON_STATUS_UNSUPPORTED = 3,      /* the request is fine, Tenon lacks something */
  TENON_STATUS_BAD_ENGINE = 4,       /* the engine is damaged or of another version */
  TENON_STATUS_NOT_FOUND = 5,        /* a file, a tensor, a device */
  TENON_STATUS_IO = 6,               /* reading or writing failed */
  TENON_STATUS_OUT_OF_MEMORY = 7,
  TENON_STATUS_CANCELLED = 8,
  TENON_STATUS_INTERNAL = 9 /* a defect of Tenon */
} tenon_status;

/* Element types, numbered as ONNX numbers them (TensorProto.DataType). */
typedef enum tenon_dtype TENON_INT {
  TENON_DTYPE_NONE = 0,
  TENON_DTYPE_F32 = 1,
  TENON_DTYPE_U8 = 2,
  TENON_DTYPE_I8 = 3,
  TENON_DTYPE_U16 = 4,
  TENON_DTYPE_I16 = 5,
  TENON_DTYPE_I32 = 6,
  TENON_DTYPE_I64 = 7,
  TENON_DTYPE_STRING = 8,
  TENON_DTYPE_BOOL = 9,
  TENON_DTYPE_F16 = 10,
  TENON_DTYPE_F64 = 11,
  TENON_DTYPE_U32 = 12,
  TENON_DTYPE_U64 = 13,
  TENON_DTYPE_C64 = 14,  /* two f32: real, imaginary */
  TENON_DTYPE_C128 = 15, /* two f64 */
  TENON_DTYPE_BF16 = 16,
  TENON_DTYPE_F8E4M3FN = 17,
  TENON_DTYPE_F8E4M3FNUZ = 18,
  TENON_DTYPE_F8E5M2 = 19,
  TENON_DTYPE_F8E5M2FNUZ = 20,
  TENON_DTYPE_U4 = 21,
  TENON_DTYPE_I4 = 22,
  TENON_DTYPE_F4E2M1 = 23,
  TENON_DTYPE_F8E8M0 = 24,
  TENON_DTYPE_U2 = 25,
  TENON_DTYPE_I2 = 26,
  TENON_DTYPE_F6E2M3 = 27,
  TENON_DTYPE_F6E3M2 = 28
} tenon_dtype;

typedef enum tenon_kind TENON_INT {
  TENON_KIND_TENSOR = 0,
  TENON_KIND_SEQUENCE = 1,
  TENON_KIND_OPTIONAL = 2,
  TENON_KIND_MAP = 3
} tenon_kind;

typedef enum tenon_io TENON_INT { TENON_IO_INPUT = 0, TENON_IO_OUTPUT = 1 } tenon_io;

/* Numbered as DLPack numbers devices. */
typedef enum tenon_device_kind TENON_INT {
  TENON_DEVICE_CPU = 1,
  TENON_DEVICE_CUDA = 2,
  TENON_DEVICE_MOCK = 12 /* tests: an extension of DLPack's */
} tenon_device_kind;

typedef enum tenon_severity TENON_INT {
  TENON_SEVERITY_INTERNAL_ERROR = 0,
  TENON_SEVERITY_ERROR = 1,
  TENON_SEVERITY_WARNING = 2,
  TENON_SEVERITY_INFO = 3,
  TENON_SEVERITY_VERBOSE = 4
} tenon_severity;

typedef struct tenon_engine tenon_engine;
typedef struct tenon_context tenon_context;
typedef struct tenon_value tenon_value;

/* Called on the thread that caused the message; `message` is valid during the call. */
typedef void (*tenon_log_function)(void* user, tenon_severity severity, const char* message);

/* "major.minor.patch" of this library; never fails. */
TENON_API const char* tenon_version(void);
/* The message of this thread's last failure, "" if there was none. Valid until the next failure on this thread. */
TENON_API const char* tenon_last_error(void);
/* A status in words, "invalid argument"; "unknown" for numbers that are none. */
TENON_API const char* tenon_status_name(tenon_status status);
/* "f32"; "none" for numbers that are no element type. */
TENON_API const char* tenon_dtype_name(tenon_dtype dtype);
/* Bits of one element; 0 for strings and for numbers that are no element type. */
TENON_API int32_t tenon_dtype_bits(tenon_dtype dtype);

/* --- Engines ------------------------------------------------------------------------------------------------------------ */

typedef struct tenon_load_options {
  size_t size;                   /* sizeof(tenon_load_options) */
  const char* target;            /* the plan to run, "cpu" or "portable"; NULL: the best that this machine has devices for */
  int32_t verify_weights;        /* not 0: also check the checksum of every weight */
  int32_t borrow_memory;         /* tenon_engine_load_memory: not 0: the bytes are not copied, and outlive the engine and its contexts */
  tenon_log_function log;        /* NULL: warnings and worse go to standard error */
  void* log_user;                /* passed to `log`; both are used during the load only */
  tenon_severity least_severity; /* messages less severe than this are dropped; 0 stands for TENON_SEVERITY_WARNING */
  const char* device;            /* only plans for this device: "cpu", "cuda" (the first GPU), "cuda:1"; NULL: any */
} tenon_load_options;

/* Maps an engine file. `options` may be NULL. Errors: IO, BAD_ENGINE, NOT_FOUND (no file; a target or a device that the file has no
 * plan for; no such device in this machine). */
TENON_API tenon_status tenon_engine_load_file(const char* path, const tenon_load_options* options, tenon_engine** out);
/* The same from `bytes` bytes in memory, which are copied unless the options say otherwise. Borrowed memory is aligned to 64 bytes. */
TENON_API tenon_status tenon_engine_load_memory(const void* data, size_t bytes, const tenon_load_options* options, tenon_engine** out);
TENON_API void tenon_engine_free(tenon_engine* engine);

/* One input or output. All pointers belong to the engine. */
typedef struct tenon_io_info {
  size_t size; /* sizeof(tenon_io_info) */
  const char* name;
  tenon_kind kind;
  tenon_dtype dtype;            /* of a tensor's elements; TENON_DTYPE_NONE for other kinds */
  int64_t rank;                 /* -1: unknown, or no tensor */
  const int64_t* dims;          /* rank entries; -1: known only when the model runs */
  const char* const* dim_texts; /* rank entries: "3", "batch", "2*n + 1"; equal texts are equal sizes */
  const char* type_text;        /* "f32[batch, 3]", "seq(f32[...])" */
} tenon_io_info;

TENON_API tenon_status tenon_engine_io_count(const tenon_engine* engine, tenon_io io, int64_t* out);
TENON_API tenon_status tenon_engine_io_info(const tenon_engine* engine, tenon_io io, int64_t index, tenon_io_info* out);
/* Position of a name. Errors: NOT_FOUND, which lists the names there are. */
TENON_API tenon_status tenon_engine_io_index(const tenon_engine* engine, tenon_io io, const char* name, int64_t* out);

/* Targets that the file has plans for, best first, and the one that this engine runs. */
TENON_API tenon_status tenon_engine_target_count(const tenon_engine* engine, int64_t* out);
TENON_API tenon_status tenon_engine_target_name(const tenon_engine* engine, int64_t index, const char** out);
TENON_API tenon_status tenon_engine_target(const tenon_engine* engine, const char** out);

/* Weights that can be replaced, under the names that the model gives them. */
TENON_API tenon_status tenon_engine_weight_count(const tenon_engine* engine, int64_t* out);
TENON_API tenon_status tenon_engine_weight_info(const tenon_engine* engine, int64_t index, tenon_io_info* out);
/* Copies `data`, replaces the weight and redoes what was prepared from it. Contexts see it from their next run on. Errors:
 * NOT_FOUND, INVALID_ARGUMENT (another element type or shape). */
TENON_API tenon_status tenon_engine_refit(tenon_engine* engine, const char* name, tenon_dtype dtype, int64_t rank, const int64_t* dims,
                                          const void* data);
/* The engine's file, replaced weights included. Give `*data` back with tenon_free. */
TENON_API tenon_status tenon_engine_serialize(const tenon_engine* engine, void** data, size_t* bytes);
TENON_API void tenon_free(void* data);

/* --- Values: tensors with their memory, and the other kinds that ONNX has ------------------------------------------------ */

/* A tensor in someone's memory. */
typedef struct tenon_tensor {
  size_t size; /* sizeof(tenon_tensor) */
  tenon_dtype dtype;
  int64_t rank;
  const int64_t* dims;
  const void* data; /* NULL for strings, see tenon_value_string */
  size_t bytes;
  tenon_device_kind device_kind; /* whose memory `data` is; 0 stands for the host's */
  int32_t device_index;
} tenon_tensor;

/* A tensor whose elements are copied. */
TENON_API tenon_status tenon_value_tensor(tenon_dtype dtype, int64_t rank, const int64_t* dims, const void* data, tenon_value** out);
/* A tensor of strings: one pointer and one length in bytes per element; copied. */
TENON_API tenon_status tenon_value_strings(int64_t rank, const int64_t* dims, const char* const* texts, const size_t* lengths,
                                           tenon_value** out);
/* sequence: any number of items; optional: none or one; map: two, a tensor of keys [n] and a sequence of n values. The items
 * stay the caller's; their memory is shared. */
TENON_API tenon_status tenon_value_compound(tenon_kind kind, int64_t count, const tenon_value* const* items, tenon_value** out);
/* A second handle to the same value. */
TENON_API tenon_status tenon_value_share(const tenon_value* value, tenon_value** out);
TENON_API void tenon_value_free(tenon_value* value);

TENON_API tenon_status tenon_value_kind(const tenon_value* value, tenon_kind* out);
/* Errors: the value is no tensor. Pointers in `out` belong to `value`. */
TENON_API tenon_status tenon_value_as_tensor(const tenon_value* value, tenon_tensor* out);
/* Element `index`, row-major, of a tensor of strings; the text is not terminated and belongs to `value`. */
TENON_API tenon_status tenon_value_string(const tenon_value* value, int64_t index, const char** text, size_t* bytes);
/* Items of a sequence (any number), an optional (none or one), a map (two: keys, values). */
TENON_API tenon_status tenon_value_count(const tenon_value* value, int64_t* out);
TENON_API tenon_status tenon_value_item(const tenon_value* value, int64_t index, tenon_value** out);

/* --- Contexts: running ------------------------------------------------------------------------------------------------- */

TENON_API tenon_status tenon_context_create(const tenon_engine* engine, tenon_context** out);
TENON_API void tenon_context_free(tenon_context* context);

/* Inputs and outputs are numbered as tenon_engine_io_info numbers them. An input stays set until it is replaced.
 * `data` is not copied: it stays as it is until the input is replaced or the last run with it has returned. */
TENON_API tenon_status tenon_context_set_input(tenon_context* context, int64_t index, tenon_dtype dtype, int64_t rank, const int64_t* dims,
                                               const void* data);
/* Any kind of value; its memory is shared, so `value` may be freed at once. NULL: no value (an optional input that is absent). */
TENON_API tenon_status tenon_context_set_input_value(tenon_context* context, int64_t index, const tenon_value* value);
/* Memory of `bytes` bytes that receives a tensor output from the next run on, aligned to its element size; data NULL: the
 * context's own memory again. */
TENON_API tenon_status tenon_context_set_output(tenon_context* context, int64_t index, void* data, size_t bytes);
/* Runs and waits for the results. Errors: an input is missing or of a wrong shape, an output's memory is too small. */
TENON_API tenon_status tenon_context_run(tenon_context* context);

/* Result of the last run. Its memory is reused by the next run or, where it was given by tenon_context_set_output, is that. */
TENON_API tenon_status tenon_context_output(const tenon_context* context, int64_t index, tenon_tensor* out);
/* The same as a value of its own, of any kind, which the next run leaves alone. Memory given by tenon_context_set_output is copied. */
TENON_API tenon_status tenon_context_output_value(const tenon_context* context, int64_t index, tenon_value** out);

/* Dims that an output will have with the inputs set now. `capacity`: entries of `dims`; rank -1: decided only by running.
 * Errors: an input is missing; more dims than `capacity`. */
TENON_API tenon_status tenon_context_output_shape(const tenon_context* context, int64_t index, int64_t capacity, int64_t* rank,
                                                  int64_t* dims);
/* Bytes of memory for intermediate results with the inputs set now, and the least that any placement could need. Either may be NULL. */
TENON_API tenon_status tenon_context_memory(tenon_context* context, int64_t* bytes, int64_t* lower_bound);

/* --- Tensors in a device's memory ---------------------------------------------------------------------------------------
 *
 * A stream is a CUstream (cudaStream_t) of the plan's GPU as a pointer, or 1, the legacy default stream, or 2, the thread's; NULL is the
 * context's own. Work on a stream comes after what the stream holds when it is given, and before what it is given next; a stream must
 * live until the context and all values are freed that were used with it. */

/* What the plan runs on beside the host, numbered as the loader was told; TENON_DEVICE_CPU: the host alone. */
TENON_API tenon_status tenon_engine_device(const tenon_engine* engine, tenon_device_kind* kind, int32_t* index);
/* Steps of a plan with a device that the host runs all the same (none for a plan of the host alone), and their names. */
TENON_API tenon_status tenon_engine_host_step_count(const tenon_engine* engine, int64_t* out);
TENON_API tenon_status tenon_engine_host_step_name(const tenon_engine* engine, int64_t index, const char** out);

/* A copy of a tensor in the memory of the engine's device. Errors: the engine has none; strings; no memory. */
TENON_API tenon_status tenon_value_to_device(const tenon_engine* engine, const tenon_value* value, tenon_value** out);
/* A copy in host memory; waits for the work that the value comes from. */
TENON_API tenon_status tenon_value_to_host(const tenon_value* value, tenon_value** out);
/* The caller's next work on `stream` may use the value's device memory: it comes after the run that the value comes from, and when the
 * value is freed, its memory is used again only after that work. Does nothing to values in host memory. */
TENON_API tenon_status tenon_value_use_on(const tenon_value* value, void* stream);

/* A tensor as an input, in host memory or that of the engine's device; it is not copied, see tenon_context_set_input. What is not
 * aligned to 64 bytes is copied within the device's memory by each run. Errors: the engine runs on another device; no such memory. */
TENON_API tenon_status tenon_context_set_input_tensor(tenon_context* context, int64_t index, const tenon_tensor* tensor);
/* The same for the memory of an output: `bytes` bytes at `data`, which take what the run makes; `rank` and `dims` are not looked at.
 * Where it is aligned to 64 bytes the result is written there directly, else copied. data NULL: the context's own memory again. */
TENON_API tenon_status tenon_context_set_output_tensor(tenon_context* context, int64_t index, const tenon_tensor* memory);
/* Whose memory the context takes for an output that has none of the caller's: the host's (TENON_DEVICE_CPU) or the engine's device's.
 * tenon_context_output_value then gives a value in device memory, without a copy. */
TENON_API tenon_status tenon_context_place_output(tenon_context* context, int64_t index, tenon_device_kind kind);

/* Begins a run and returns without waiting for the device. All inputs and outputs must lie in the device's memory; the caller's stays
 * as it is until the work has ended. The first run of a shape may wait for earlier runs. Errors: UNSUPPORTED (the plan is for the host
 * alone, or has steps that the host runs), INVALID_ARGUMENT (a tensor in host memory; a stream of another device). What goes wrong on
 * the device is told by tenon_context_synchronize. */
TENON_API tenon_status tenon_context_enqueue(tenon_context* context, void* stream);
/* tenon_context_run on a stream: steps of the host and tensors in its memory are allowed; the results are there on return. */
TENON_API tenon_status tenon_context_run_on(tenon_context* context, void* stream);
/* Waits for all runs that were begun. Errors: what went wrong in them. */
TENON_API tenon_status tenon_context_synchronize(tenon_context* context);
/* The stream of the context itself, for the caller to wait for or to put work on; NULL where the plan is for the host alone. */
TENON_API tenon_status tenon_context_stream(const tenon_context* context, void** out);

/* What the last run moved. Copies within the device's memory are those of tensors that kernels cannot use where they lie. */
typedef struct tenon_run_stats {
  size_t size; /* sizeof(tenon_run_stats) */
  int64_t copies_to_device;
  int64_t bytes_to_device;
  int64_t copies_to_host;
  int64_t bytes_to_host;
  int64_t copies_within_device;
  int64_t bytes_within_device;
  int64_t graphs; /* CUDA graphs that were launched in place of single kernels: from the second run with the same addresses on */
} tenon_run_stats;
TENON_API tenon_status tenon_context_run_stats(const tenon_context* context, tenon_run_stats* out);

#ifdef __cplusplus
}
#endif
#endif
