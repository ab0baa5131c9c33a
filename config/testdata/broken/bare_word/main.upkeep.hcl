node "cp" {
  host  = localhost
  roles = [etcd]
}
