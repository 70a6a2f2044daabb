(component $hello
  (import "wasi:http/outgoing-handler@0.2.12" (instance))
  (import "wasi:io/poll@0.2.0" (instance))
  (core module $answer
    (memory (export "memory") 1)
    (func (export "handle") (param i32) (result i32) local.get 0)
    (@custom "notes" "kept"))
  (core instance $i (instantiate $answer))
  (component $inner)
  (type $handle-type (func (param "count" u32) (result u32)))
  (func $handle (type $handle-type) (canon lift (core func $i "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.12" (instance $handler)))
