node {
  host = "a"
}

state {
}
