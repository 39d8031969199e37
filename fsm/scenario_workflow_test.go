package fsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/datadriven"

	"github.com/batonmq/baton/fsm/command"
)

// versionOf is a digit in the place of a version.
func versionOf(digit string) string { return strings.Repeat(digit, VersionDigits/len(digit)) }

// definitionOf is a version that nobody compiles.
func definitionOf(tenant, name string, digit rune, on ...string) *command.InstallDefinition {
	return &command.InstallDefinition{
		Tenant: tenant, Name: name, Version: versionOf(string(digit)), Canonical: []byte(`{"workflow":"` + name + `"}`), On: on,
	}
}

// aliasesOf has one alias, of one version.
func aliasesOf(tenant, name string, count uint64, alias string, digit rune) *command.InstallAliases {
	return &command.InstallAliases{Tenant: tenant, Name: name, Count: count, Aliases: []command.WorkflowAlias{
		{Alias: alias, Targets: []command.WorkflowTarget{{Version: versionOf(string(digit)), Share: command.WholeShare}}},
	}}
}

// workflowCommand is a line about a version, or about aliases.
func workflowCommand(a args) []byte {
	name, version := a.word(), append(a.words(), "", "")[1]
	tenant := a.get("tenant", "t")
	switch a.cmd {
	case "define":
		return definitionOf(tenant, name, []rune(version + "?")[0], values(a, "on")...).Append(nil)
	case "undefine":
		return (&command.RemoveDefinition{Tenant: tenant, Name: name, Version: versionOf(version)}).Append(nil)
	default:
		c := command.InstallAliases{Tenant: tenant, Name: name, Count: a.number("count")}
		for _, arg := range a.list[1:] {
			if arg.Key != "count" && arg.Key != "tenant" {
				c.Aliases = append(c.Aliases, command.WorkflowAlias{Alias: arg.Key, Targets: targetsOf(arg.Vals)})
			}
		}
		return c.Append(nil)
	}
}

func targetsOf(vals []string) (targets []command.WorkflowTarget) {
	for _, val := range vals {
		digit, share, shared := strings.Cut(val, ":")
		target := command.WorkflowTarget{Version: versionOf(digit), Share: command.WholeShare}
		if shared {
			target.Share = uint32(number(share))
		}
		targets = append(targets, target)
	}
	return targets
}

// values are those of a list such as on=(a,b).
func values(a args, key string) []string {
	at := slices.IndexFunc(a.list, func(arg datadriven.CmdArg) bool { return arg.Key == key })
	if at < 0 {
		return nil
	}
	return a.list[at].Vals
}

func (s *scenario) pick(a args) string {
	of := append(a.words(), "")[1]
	if len(of) == 1 {
		of = versionOf(of)
	}
	tenant := s.machine.names.find(nameTenant, a.get("tenant", "t"))
	return tellDefinitions(s.machine.pickDefinition(tenant, a.word(), of, a.number("seed")))
}

func (s *scenario) started(a args) string {
	tenant := s.machine.names.find(nameTenant, a.get("tenant", "t"))
	return tellDefinitions(s.machine.startedBy(tenant, a.word(), a.number("seed"))...)
}

func tellDefinitions(all ...*definition) (told string) {
	for _, d := range all {
		if d != nil {
			told += fmt.Sprintf("%s %s… number=%d live=%d\n", d.name, d.version[:1], d.number, d.live)
		}
	}
	if told == "" {
		return "none\n"
	}
	return told
}
