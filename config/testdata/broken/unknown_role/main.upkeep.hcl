node "cp" {
  host  = "a"
  roles = ["control-plane"]
}

certs "x" {
  nodes = role("controlplane")
}

certs "y" {
  nodes = role("gpu")
}
