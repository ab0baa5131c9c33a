cluster {
  for_each   = toset(["a"])
  kubeconfig = each.key
}
