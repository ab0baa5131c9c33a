connection "a" {
  port = 1e999999
}

node "x" {
  host = 1e999999
}
