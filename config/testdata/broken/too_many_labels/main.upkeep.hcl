node "a" "b" {
  host = "a"
}

cluster "main" {
  kubeconfig = "x"
}
