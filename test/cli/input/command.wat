(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "../outside")
  ;; Prints its arguments with NUL for what is between, tries to leave folder 3, and ends with their number
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 36)))
    (drop (call $args (i32.const 256) (i32.const 1024)))
    (i32.store (i32.const 32) (i32.const 1024))
    (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 8)))
    (drop (call $open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 10) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
    (call $exit (i32.load (i32.const 0)))))
