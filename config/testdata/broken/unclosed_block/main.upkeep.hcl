node "cp" {
  host = "a"
