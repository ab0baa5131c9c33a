connection "a" {
  port = 22.5
}

connection "b" {
  port         = 70000
  max_sessions = 0
}

nodes "x" {
  expect = -3
  from_kubernetes {
    selector = ""
  }
}
