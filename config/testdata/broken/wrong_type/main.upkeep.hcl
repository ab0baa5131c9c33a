connection "a" {
  port   = "ssh"
  become = 3
}

node "b" {
  host  = ["a"]
  roles = "etcd"
}
