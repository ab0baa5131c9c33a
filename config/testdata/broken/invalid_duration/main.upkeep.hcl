node "cp" {
  host = "a"
}

certs "x" {
  nodes        = node.cp
  renew_before = "30 days"
  keep {
    daily = 0
  }
  store {
    path = "a"
  }
  store "s3" {
    pth = "a"
  }
}
