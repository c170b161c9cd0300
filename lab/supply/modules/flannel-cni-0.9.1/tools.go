//go:build tools

// Package tools names the programs that are built from this module's dependencies.
package tools

import (
	_ "github.com/containernetworking/plugins/plugins/meta/flannel"
)
