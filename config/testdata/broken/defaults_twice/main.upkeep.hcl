node "n" {
  host = "h"
}
connection "c" {
}
defaults {
  connection = connection.c
}
defaults {
  connection = connection.c
}
