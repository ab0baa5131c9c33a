package backup

import "upkeep/providers"

// findingDocs documents the findings of this domain; docs/findings holds a page for each. Those that other domains report
// as well (NODE_SELECTION_UNKNOWN, NODE_NONE_SELECTED) are documented there.
func findingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{
		{
			ID: "BACKUP_CLOCK_WENT_BACK", Title: "The clock is behind the newest bundle",
			Meaning: "A bundle in the store was taken later than now by more than a few minutes. The clock of the machine that upkeep runs on went back, or that of the machine that took the bundle was ahead. How old any bundle is is not known.",
			Remedy:  "upkeep removes nothing until the clock is later than the newest bundle, and does not count a bundle from the future. Set the clock. Where the bundle's time is wrong, remove that bundle by hand.",
		},
		{
			ID: "BACKUP_GAP", Title: "The newest proved bundle lacks something",
			Meaning: "Something that should be in the bundle could not be read when it was taken: mostly the keys and configuration of a control plane that did not answer. The snapshot of etcd is there.",
			Remedy:  "Bring the node back, then take another bundle: `upkeep backup take`. Until then the keys of that node are in older bundles alone, if anywhere.",
		},
		{
			ID: "BACKUP_NONE", Title: "There is no proved bundle",
			Meaning: "No bundle in the store has a proof that this state remembers. If etcd were lost now, nothing is known to bring it back.",
			Remedy:  "upkeep takes and proves one. No disruptive step runs before.",
		},
		{
			ID: "BACKUP_STALE", Title: "The last proved bundle is too old",
			Meaning: "The newest bundle that was proved is older than `max_age`.",
			Remedy:  "upkeep takes and proves one. No disruptive step runs before.",
		},
		{
			ID: "BACKUP_STORE_UNREACHABLE", Title: "The store of the backups does not answer",
			Meaning: "What the store holds could not be listed, so what is backed up is unknown, and unknown is not healthy.",
			Remedy:  "No step that needs a proved backup runs. The reason says what was tried: look at the directory, the node or the service, and at the credentials.",
		},
		{
			ID: "BACKUP_UNPROVED", Title: "The newest bundle is not proved",
			Meaning: "The newest bundle lies whole in the store, and this state remembers no proof of exactly these bytes at the level that `verify` wants: the run that took it was interrupted, the state was lost, or `verify` was raised since. What a store says of its own bundles is no proof. Or it holds cold copies of stopped members of etcd, taken when no member answered, which nothing can prove.",
			Remedy:  "upkeep proves it where it can be opened (it is not encrypted, or `identity_file` opens it). Else it takes a new one when `max_age` is over. Cold copies stay until a newer bundle is proved, and count for no guard.",
		},
		{
			ID: "BUNDLE_DAMAGED", Title: "A bundle is damaged",
			Meaning: "A bundle's size or SHA-256 is not that of its label, or not that of its proof; or bundle or label is missing. It was cut off, changed or exchanged after it was written.",
			Remedy:  "It counts for nothing, and upkeep does not remove it, since whoever looks into the damage needs it. `upkeep backup verify ID` says which part is wrong. Look at the store's disk, and at who can write to it.",
		},
		{
			ID: "BUNDLE_FOREIGN", Title: "Something in the store is not of this cluster",
			Meaning: "A bundle in the store was taken of an etcd cluster with another id, or an object is no bundle at all.",
			Remedy:  "upkeep neither uses nor removes it. Give each cluster a store, or a prefix in it, of its own.",
		},
		{
			ID: "BUNDLE_HALF_WRITTEN", Title: "A bundle was not written to its end",
			Meaning: "A run was interrupted while it wrote a bundle. What it left is no bundle: a bundle appears under its name only when it is complete.",
			Remedy:  "upkeep clears away what this block left of this cluster. What another cluster left is for that cluster's upkeep, or for you.",
		},
		{
			ID: "ETCD_ALARM", Title: "etcd has raised an alarm",
			Meaning: "NOSPACE: a database reached its quota, and etcd takes no writes until the alarm is disarmed. CORRUPT: a member found that its data is not what the others have.",
			Remedy:  "NOSPACE: compact, defragment one member after another, then `etcdctl alarm disarm`. CORRUPT: replace the member. A member with CORRUPT is never backed up; one with NOSPACE is.",
		},
		{
			ID: "ETCD_EVEN_MEMBERS", Title: "etcd has an even number of voting members",
			Meaning: "Four members survive the loss of one, as three do, and there are more that can be lost.",
			Remedy:  "Add a member, or remove one: `etcdctl member list`.",
		},
		{
			ID: "ETCD_HASH_DIFFERS", Title: "Two members of etcd hold different data",
			Meaning: "The hash of all keys at one revision, after the same compaction, is not the same on two members. One of them is corrupt, and clients get other answers from it.",
			Remedy:  "`etcdctl endpoint hashkv --cluster` shows which one is alone with its hash: replace it. upkeep backs up none whose data most members do not have, and touches no control plane meanwhile.",
		},
		{
			ID: "ETCD_LAG", Title: "A member of etcd is behind",
			Meaning: "A member has not applied what the others have. A snapshot of it would be of the past.",
			Remedy:  "Look at its disk (`etcd_disk_wal_fsync_duration_seconds`) and at its network. upkeep takes the snapshot from another member.",
		},
		{
			ID: "ETCD_LEARNER", Title: "A member of etcd is a learner",
			Meaning: "It has no vote and does not count for the quorum.",
			Remedy:  "`etcdctl member promote ID` once it has caught up.",
		},
		{
			ID: "ETCD_MEMBER_UNREACHABLE", Title: "A member of etcd does not answer",
			Meaning: "The member list has it, and no answer came from it through the node that it runs on, or no configured node has it.",
			Remedy:  "Look at its container and its log on the node. Declare the node where the configuration lacks it.",
		},
		{
			ID: "ETCD_MEMBER_UNSTARTED", Title: "A member of etcd was added and never started",
			Meaning: "It counts for the quorum and cannot vote: losing one more member may stop the cluster.",
			Remedy:  "Start it, or remove it: `etcdctl member remove ID`.",
		},
		{
			ID: "ETCD_QUOTA_NEAR", Title: "etcd's database is near its quota",
			Meaning: "At the whole of its quota etcd raises NOSPACE and takes no writes: the cluster stands still.",
			Remedy:  "Compact and defragment one member after another, find what fills it, or raise `--quota-backend-bytes`.",
		},
		{
			ID: "ETCD_UNREACHABLE", Title: "No member of etcd answers",
			Meaning: "etcd could not be asked through any node, so neither its health nor its data can be told or backed up. Where members do not run, their data can be copied as it lies, unproved: the plan says so.",
			Remedy:  "Look at etcd's containers and its certificates on the control planes: `upkeep doctor USER@HOST`.",
		},
		{
			ID: "ETCD_VERSION_SKEW", Title: "Members of etcd are of different versions",
			Meaning: "An upgrade is under way, or was left half done. The cluster works by the rules of its oldest member.",
			Remedy:  "Finish the upgrade.",
		},
		{
			ID: "K3S_DATABASE_SEVERAL", Title: "More than one node keeps a cluster of its own",
			Meaning: "A k3s server that was started without `--cluster-init` and without `--datastore-endpoint` keeps its cluster in SQLite, alone. Where a second server does so, or other nodes have an etcd, these are separate clusters, although the configuration takes them for one.",
			Remedy:  "No bundle is taken, since which cluster is meant is not known. Give each cluster a configuration of its own, or join the servers to one: start the first with `--cluster-init`, which moves it to etcd, and the others with `--server`.",
		},
		{
			ID: "K3S_DATASTORE_UNKNOWN", Title: "Where a k3s server keeps its cluster is not known",
			Meaning: "The node has a k3s server, and neither an etcd nor a database was found where k3s keeps them; or it is told to keep its data elsewhere (`data-dir`).",
			Remedy:  "No bundle is taken from it. upkeep knows /var/lib/rancher/k3s alone; a datastore elsewhere (`datastore-endpoint`) is backed up where it runs.",
		},
	}
}
