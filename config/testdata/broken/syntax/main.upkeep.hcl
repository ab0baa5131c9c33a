node "cp" {
  host = "10.0.0.1
}

node "b" {
  roles = ["a"
}
