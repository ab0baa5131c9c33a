state "floppy" {
  path = "a"
}
