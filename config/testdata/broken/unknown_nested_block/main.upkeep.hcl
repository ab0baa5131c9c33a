nodes "gpu" {
  from_kubernets {
    selector = "a=b"
  }
}
