package command

const (
	// MaxStartChannels is how many channels may start runs of one definition.
	MaxStartChannels = 256
	// MaxAliases is how many aliases a workflow has at most.
	MaxAliases = 64
	// MaxAliasTargets is among how many versions an alias shares out its runs at most.
	MaxAliasTargets = 16
	// WholeShare is what the shares of an alias's targets come to, in hundredths of a
	// percent.
	WholeShare = 10_000
)

// WorkflowAlias is a name for versions of a workflow, such as prod.
type WorkflowAlias struct {
	Alias string
	// Targets are the versions that runs are started of; their shares sum to WholeShare.
	Targets []WorkflowTarget
}

// WorkflowTarget is a version's part in an alias.
type WorkflowTarget struct {
	// Version is 32 hexadecimal digits.
	Version string
	// Share is how many of an alias's runs it gets, in hundredths of a percent.
	Share uint32
}

// AppendWorkflowAliases appends a count and the aliases in their order.
func AppendWorkflowAliases(dst []byte, aliases []WorkflowAlias) []byte {
	dst = AppendUint(dst, uint64(len(aliases)))
	for i := range aliases {
		dst = appendWorkflowTargets(AppendString(dst, aliases[i].Alias), aliases[i].Targets)
	}
	return dst
}

// WorkflowAliases reads what AppendWorkflowAliases wrote.
func (r *Reader) WorkflowAliases() (aliases []WorkflowAlias) {
	for range r.Count(MaxAliases) {
		aliases = append(aliases, WorkflowAlias{Alias: r.String(), Targets: r.workflowTargets()})
	}
	return aliases
}

func appendWorkflowTargets(dst []byte, targets []WorkflowTarget) []byte {
	dst = AppendUint(dst, uint64(len(targets)))
	for i := range targets {
		dst = AppendUint(AppendString(dst, targets[i].Version), uint64(targets[i].Share))
	}
	return dst
}

func (r *Reader) workflowTargets() (targets []WorkflowTarget) {
	for range r.Count(MaxAliasTargets) {
		targets = append(targets, WorkflowTarget{Version: r.String(), Share: r.Uint32()})
	}
	return targets
}

// AppendStrings appends a count and the strings in their order.
func AppendStrings(dst []byte, all []string) []byte {
	dst = AppendUint(dst, uint64(len(all)))
	for _, text := range all {
		dst = AppendString(dst, text)
	}
	return dst
}

// Strings reads what AppendStrings wrote, at most limit of them.
func (r *Reader) Strings(limit int) (all []string) {
	for range r.Count(limit) {
		all = append(all, r.String())
	}
	return all
}

// InstallDefinition brings a version of a workflow to a partition. One that is there
// already is a duplicate.
type InstallDefinition struct {
	Route

	Tenant, Name string
	// Version is 32 hexadecimal digits: see workflow.Definition.
	Version   string
	Canonical []byte
	// On are the channels whose events start runs, as Canonical has them: a partition
	// knows them without compiling it.
	On []string
}

// Append appends the encoded command.
func (c *InstallDefinition) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindInstallDefinition, c.Route), c.Tenant)
	dst = AppendString(AppendString(dst, c.Name), c.Version)
	return AppendStrings(AppendString(dst, c.Canonical), c.On)
}

// Decode reads the body behind a prefix.
func (c *InstallDefinition) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Version = r.String()
	c.Canonical = r.Bytes()
	c.On = r.Strings(MaxStartChannels)
}

// InstallAliases brings all aliases of a workflow to a partition, after the versions
// that they name. Aliases of a count that the partition has, or of an earlier one, change
// nothing; the answer is a duplicate then.
type InstallAliases struct {
	Route

	Tenant, Name string
	// Count is the meta group's count of changes; a higher one is the newer.
	Count uint64
	// Aliases are in ascending order.
	Aliases []WorkflowAlias
}

// Append appends the encoded command.
func (c *InstallAliases) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindInstallAliases, c.Route), c.Tenant)
	return AppendWorkflowAliases(AppendUint(AppendString(dst, c.Name), c.Count), c.Aliases)
}

// Decode reads the body behind a prefix.
func (c *InstallAliases) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Count = r.Uint()
	c.Aliases = r.WorkflowAliases()
}

// RemoveDefinition takes a version of a workflow from a partition, unless something
// there needs it. One that is not there is a duplicate.
type RemoveDefinition struct {
	Route

	Tenant, Name, Version string
}

// Append appends the encoded command.
func (c *RemoveDefinition) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindRemoveDefinition, c.Route), c.Tenant)
	return AppendString(AppendString(dst, c.Name), c.Version)
}

// Decode reads the body behind a prefix.
func (c *RemoveDefinition) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Version = r.String()
}

// PutWorkflow keeps a version of a workflow in the meta group, from where every
// partition gets it. A version that is there already is a duplicate; it gets the text.
type PutWorkflow struct {
	Route

	Tenant, Name, Version string
	// Canonical is the definition as partitions compile it, Source as its author wrote it.
	Canonical, Source []byte
	On                []string
	// Alias is moved to the version as a whole; empty for none.
	Alias string
	// Expect is the workflow's count that this was decided by: another one is refused. 0
	// is for any.
	Expect uint64
}

// Append appends the encoded command.
func (c *PutWorkflow) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindPutWorkflow, c.Route), c.Tenant)
	dst = AppendString(AppendString(dst, c.Name), c.Version)
	dst = AppendString(AppendString(dst, c.Canonical), c.Source)
	return AppendUint(AppendString(AppendStrings(dst, c.On), c.Alias), c.Expect)
}

// Decode reads the body behind a prefix.
func (c *PutWorkflow) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Version = r.String()
	c.Canonical = r.Bytes()
	c.Source = r.Bytes()
	c.On = r.Strings(MaxStartChannels)
	c.Alias = r.String()
	c.Expect = r.Uint()
}

// SetAlias says in the meta group which versions an alias stands for.
type SetAlias struct {
	Route

	Tenant, Name, Alias string
	// Targets are none where the alias is deleted.
	Targets []WorkflowTarget
	// Expect is as in PutWorkflow.
	Expect uint64
}

// Append appends the encoded command.
func (c *SetAlias) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindSetAlias, c.Route), c.Tenant)
	dst = AppendString(AppendString(dst, c.Name), c.Alias)
	return AppendUint(appendWorkflowTargets(dst, c.Targets), c.Expect)
}

// Decode reads the body behind a prefix.
func (c *SetAlias) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Alias = r.String()
	c.Targets = r.workflowTargets()
	c.Expect = r.Uint()
}

// RemovalStage is how far the removal of a version is. Numbers are for ever.
type RemovalStage uint8

// The stages of a removal.
const (
	// StageRetire begins: no alias may name the version from then on, and nobody brings it
	// to partitions.
	StageRetire RemovalStage = 0
	// StageRestore gives up: a partition needs the version, and all get it again.
	StageRestore RemovalStage = 1
	// StageForget ends, when no partition has the version.
	StageForget RemovalStage = 2
)

// DeleteWorkflow is a step on the way of a version out of the cluster.
type DeleteWorkflow struct {
	Route

	Tenant, Name, Version string
	Stage                 RemovalStage
}

// Append appends the encoded command.
func (c *DeleteWorkflow) Append(dst []byte) []byte {
	dst = AppendString(appendPrefix(dst, KindDeleteWorkflow, c.Route), c.Tenant)
	return append(AppendString(AppendString(dst, c.Name), c.Version), byte(c.Stage))
}

// Decode reads the body behind a prefix.
func (c *DeleteWorkflow) Decode(r *Reader) {
	c.Tenant = r.String()
	c.Name = r.String()
	c.Version = r.String()
	c.Stage = RemovalStage(r.Byte())
}
