// agnhost's netexec as released: the same command, without the dozen others that its image has.
package main

import (
	"os"

	"github.com/spf13/cobra"
	"k8s.io/kubernetes/test/images/agnhost/netexec"
)

func main() {
	root := &cobra.Command{Use: "agnhost"}
	root.AddCommand(netexec.CmdNetexec)
	if root.Execute() != nil {
		os.Exit(1)
	}
}
