package cluster

// feed has feedFollowers look.
func (g *Group) feed() {
	select {
	case g.hungry <- struct{}{}:
	default:
	}
}

// feedFollowers reads for followers what their channels have, on a goroutine of its
// own: one who is far behind reads from disks, and no entry is to wait for that.
func (g *Group) feedFollowers() {
	for {
		select {
		case <-g.stop:
			return
		case <-g.hungry:
		}
		for g.duty.FeedFollowers() {
			select {
			case <-g.stop:
				return
			default:
			}
		}
	}
}
