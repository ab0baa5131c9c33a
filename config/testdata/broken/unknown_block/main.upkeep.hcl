nodez "cp" {
  host = "10.0.0.1"
}

zzz {
}
