//go:build tools

// Package tools names the programs that are built from this module's dependencies.
package tools

import (
	_ "github.com/alibaba/hybridnet/cmd/cni"
	_ "github.com/alibaba/hybridnet/cmd/daemon"
	_ "github.com/alibaba/hybridnet/cmd/manager"
	_ "github.com/alibaba/hybridnet/cmd/webhook"
)
