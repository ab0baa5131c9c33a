kubeconfig = "a"

cluster = {
  kubeconfig = "a"
}
