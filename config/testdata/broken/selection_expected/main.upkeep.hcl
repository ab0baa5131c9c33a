node "cp" {
  host  = "a"
  roles = ["control-plane"]
}

certs "x" {
  nodes = "cp"
}

certs "y" {
  nodes = ["cp"]
}
