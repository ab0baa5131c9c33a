nodes "gpu" {
  from_kubernetes {
    selector = "a=b"
  }
}

certs "x" {
  for_each = nodes.gpu
  nodes    = nodes.gpu
}

certs "y" {
  for_each = role("gpu")
  nodes    = nodes.gpu
}
