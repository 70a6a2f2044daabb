(module
  (func "unfinished