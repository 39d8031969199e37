package cluster

import (
	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm/command"
)

// The fields of the frames of token streams: see frames.go.

func appendTokenID(dst []byte, id tokens.ID) []byte {
	return command.AppendString(command.AppendEventID(dst, id.Event), id.Name)
}

func readTokenID(f *frame) tokens.ID { return tokens.ID{Event: f.EventID(), Name: f.String()} }

func appendWrite(dst []byte, w *tokens.Write) []byte {
	dst = command.AppendUint(dst, w.Source)
	dst = command.AppendLeaseID(dst, w.Lease)
	dst = append(command.AppendString(dst, w.Name), byte(w.Kind))
	dst = command.AppendUint(command.AppendUint(dst, w.Offset), w.Base)
	dst = command.AppendString(command.AppendBool(dst, w.Final), w.Data)
	return command.AppendString(dst, w.Tenant)
}

// readWrite reads a write; its data aliases the frame.
func readWrite(f *frame, node string) tokens.Write {
	return tokens.Write{
		Node: node, Source: f.Uint(), Lease: f.LeaseID(), Name: f.String(), Kind: tokens.Kind(f.Byte()),
		Offset: f.Uint(), Base: f.Uint(), Final: f.Bool(), Data: f.Bytes(), Tenant: f.String(),
	}
}

func appendTokenWant(dst []byte, w *tokens.Want) []byte {
	dst = command.AppendUint(command.AppendUint(dst, w.Reader), w.Turn)
	dst = appendTokenID(dst, w.ID)
	dst = command.AppendUint(command.AppendUint(dst, w.Fence), uint64(w.Attempt))
	dst = command.AppendUint(dst, w.Offset)
	return command.AppendBool(command.AppendBool(dst, w.Done), w.Settled)
}

func readTokenWant(f *frame, node string) tokens.Want {
	return tokens.Want{
		Node: node, Reader: f.Uint(), Turn: f.Uint(), ID: readTokenID(f), Fence: f.Uint(), Attempt: f.Uint32(),
		Offset: f.Uint(), Done: f.Bool(), Settled: f.Bool(),
	}
}

func appendTokenPiece(dst []byte, p *tokens.Piece) []byte {
	dst = command.AppendUint(command.AppendUint(dst, p.Reader), p.Turn)
	dst = command.AppendUint(command.AppendUint(dst, p.Fence), uint64(p.Attempt))
	dst = append(command.AppendUint(dst, p.Offset), byte(p.Kind))
	dst = command.AppendBool(command.AppendBool(dst, p.Final), p.Gone)
	return command.AppendString(command.AppendString(dst, p.CorrelationID), p.Data)
}

// readTokenPiece reads a piece behind the reader's id; its data aliases the frame.
func readTokenPiece(f *frame) tokens.Piece {
	return tokens.Piece{
		Turn: f.Uint(), Fence: f.Uint(), Attempt: f.Uint32(), Offset: f.Uint(), Kind: tokens.Kind(f.Byte()),
		Final: f.Bool(), Gone: f.Bool(), CorrelationID: f.String(), Data: f.Bytes(),
	}
}
