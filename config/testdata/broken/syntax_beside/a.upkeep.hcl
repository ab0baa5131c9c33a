node "cp1" {
  host = "10.0.0.300"
}

node "cp2" {
  host =
}
