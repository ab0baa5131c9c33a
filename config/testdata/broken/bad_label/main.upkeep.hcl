node "1 cp" {
  host = "a"
}
