node "a" {
  host = null
}
