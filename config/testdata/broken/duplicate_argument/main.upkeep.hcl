node "cp" {
  host = "a"
  host = "b"
}
