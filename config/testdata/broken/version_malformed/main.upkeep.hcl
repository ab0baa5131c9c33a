upkeep {
  required_version = "newest"
}
