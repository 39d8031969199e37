package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newCluster(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cluster",
		Short:   "Look at the cluster",
		Example: "  baton cluster status",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with the cluster: %s status", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newClusterStatus(t))
	return cmd
}

func newClusterStatus(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show members, partitions and leaders",
		Long: `Status prints what a node knows of the cluster: its members, and who leads and
keeps each partition. --json prints the answer of GET /v1/cluster as it is.`,
		Example: `  baton cluster status
  baton cluster status --nodes http://127.0.0.1:7710 --json | jq '.members[].name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return clusterStatus(cmd.Context(), t, &f) },
	}
	addTarget(cmd, &f)
	return cmd
}

func clusterStatus(ctx context.Context, t *terminal, f *target) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	answer, err := h.Cluster(ctx)
	if err != nil {
		return err
	}
	if f.json {
		return printRaw(t.out, answer.Raw)
	}
	return printCluster(t.out, answer)
}

func printCluster(w io.Writer, answer *client.Cluster) error {
	_, _ = fmt.Fprintf(w, "cluster %s, seen by %s\n\n", answer.ClusterID, clean(answer.Node))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "MEMBER\tSTATE\tCLIENTS\tPEERS\tGOSSIP\tVERSION\tID")
	names := make(map[string]string)
	for i := range answer.Members {
		m := &answer.Members[i]
		name := clean(m.Name)
		names[m.ID] = name
		if m.Self {
			name += " (this)"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			name, m.State, clean(m.ClientURL), clean(m.PeerAddress), clean(m.GossipAddress), clean(m.Version), m.ID)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(table, "\nPARTITION\tLEADER\tREPLICAS\tREADY")
	for i := range answer.Partitions {
		p := &answer.Partitions[i]
		replicas := make([]string, 0, len(p.Replicas))
		for _, id := range p.Replicas {
			replicas = append(replicas, nameOf(names, id))
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%v\n", p.Partition, nameOf(names, p.Leader), strings.Join(replicas, " "), p.Ready)
	}
	return table.Flush()
}

// nameOf is a member's name, or its id where the name is not known.
func nameOf(names map[string]string, id string) string {
	switch name := names[id]; {
	case name != "":
		return name
	case id == "":
		return "none"
	default:
		return clean(id)
	}
}
