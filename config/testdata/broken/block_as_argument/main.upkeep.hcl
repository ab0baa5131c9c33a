nodes "gpu" {
  from_kubernetes = {
    selector = "a=b"
  }
}

node "cp" {
  host = "a"
  roles {
  }
}
