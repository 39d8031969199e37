package fsm

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

const (
	// DefaultAlias is the alias that runs are started of where none is named.
	DefaultAlias = "prod"
	// MaxAliasBytes bounds the name of an alias.
	MaxAliasBytes = 64
	// MinVersionPrefix is how many of its digits name a version at least.
	MinVersionPrefix = 6
	// VersionDigits is how many hexadecimal digits a version has.
	VersionDigits = 32
)

// wrongVersion and those below say what is wrong with a part of a command, empty when
// nothing is.
func wrongVersion(tenant, name, version string) string {
	if wrong := wrongWorkflow(tenant, name); wrong != "" {
		return wrong
	}
	if !isVersion(version) {
		return fmt.Sprintf("a version has %d hexadecimal digits", VersionDigits)
	}
	return ""
}

func isVersion(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == VersionDigits && strings.ToLower(text) == text
}

func wrongWorkflow(tenant, name string) string {
	switch {
	case tenant == "" || name == "":
		return "the workflow lacks a tenant or a name"
	case len(tenant) > MaxNameBytes:
		return tooLong("tenant", tenant)
	case len(name) > workflow.MaxNameBytes:
		return fmt.Sprintf("the workflow's name has %d bytes, %d are allowed", len(name), workflow.MaxNameBytes)
	default:
		return ""
	}
}

func wrongText(canonical []byte) string {
	if len(canonical) == 0 || len(canonical) > workflow.MaxDefinitionBytes {
		return fmt.Sprintf("a definition has 1 to %d bytes", workflow.MaxDefinitionBytes)
	}
	return ""
}

func wrongStarts(on []string) string {
	for _, channel := range on {
		if channel == "" || len(channel) > MaxNameBytes {
			return fmt.Sprintf("a channel that starts runs has a name of 1 to %d bytes", MaxNameBytes)
		}
	}
	return ""
}

// wrongAliases checks all aliases of a workflow, which are in ascending order.
func wrongAliases(aliases []command.WorkflowAlias) string {
	for i := range aliases {
		if i > 0 && aliases[i-1].Alias >= aliases[i].Alias {
			return "the aliases are not in ascending order"
		}
		if wrong := wrongAlias(&aliases[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func wrongAlias(a *command.WorkflowAlias) string {
	if a.Alias == "" || len(a.Alias) > MaxAliasBytes {
		return fmt.Sprintf("an alias has 1 to %d bytes", MaxAliasBytes)
	}
	var whole uint64
	for i, target := range a.Targets {
		whole += uint64(target.Share)
		twice := slices.ContainsFunc(a.Targets[:i], func(t command.WorkflowTarget) bool { return t.Version == target.Version })
		if !isVersion(target.Version) || target.Share == 0 || twice {
			return "alias " + a.Alias + " names a version twice, without a share, or not in full"
		}
	}
	if whole != command.WholeShare {
		return fmt.Sprintf("the shares of alias %s come to %d hundredths of a percent, not to %d", a.Alias, whole, command.WholeShare)
	}
	return ""
}
