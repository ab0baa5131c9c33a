certs "y" {
  nodes = node.cp1
