node "a" {
  host    = "a"
  primary = true
}

node "b" {
  host    = "b"
  primary = true
}
