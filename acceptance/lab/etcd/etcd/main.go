// Command etcd is the etcd server of the lab cluster, built from the module proxy like everything else in the lab.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
