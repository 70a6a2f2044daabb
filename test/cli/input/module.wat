(module $adder
  (import "env" "log" (func (param i32 i64)))
  (memory (export "memory") 1 2)
  (global (export "count") (mut i32) (i32.const 0))
  (@custom "\1b[31mred\n\u{202e}" "x")
  (func (export "add") (param i32 i32) (result i32) local.get 0))
