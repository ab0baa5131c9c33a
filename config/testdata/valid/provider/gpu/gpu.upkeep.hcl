nodes "gpu" { # discovered, not typed
  expect     = 40
  address    = "InternalIP"
  roles      = ["gpu"]
  connection = connection.bastion

  from_kubernetes {
    selector = "example.net/gpu=hopper"
  }
}

certs "workers" {
  for_each     = toset(["a", "b"])
  nodes        = [nodes.gpu, node.cp["cp1"]]
  renew_before = each.key == "a" ? "30d" : "1w"
}
