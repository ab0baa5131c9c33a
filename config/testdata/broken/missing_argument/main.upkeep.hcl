node "cp" {
}

nodes "gpu" {
}
