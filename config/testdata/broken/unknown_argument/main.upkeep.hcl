node "cp" {
  hsot = "10.0.0.1"
}

cluster {
  kubeconfig = "a"
  flavour    = "b"
}
