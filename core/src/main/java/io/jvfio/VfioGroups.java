// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.dma.MappedSpace;
import io.jvfio.iommu.GroupAccess;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.OpenFile;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Open groups whose IOMMU works: their devices can be opened, and all share one DMA space.
 *
 * <p>Where the kernel does not let groups share a container, each has its own, and every mapping is
 * made in each.
 *
 * <p>Safe for use by several threads. Closing it closes the devices first, then the DMA space.
 */
public final class VfioGroups implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger("io.jvfio");

  private final HostFacts facts;
  private final Map<IommuGroup, GroupAccess> access;
  private final List<Negotiation> negotiations;
  private final MappedSpace space;
  private final List<FileDevice> devices = new ArrayList<>();
  private boolean closed;

  private VfioGroups(
      HostFacts facts,
      Map<IommuGroup, GroupAccess> access,
      List<Negotiation> negotiations,
      MappedSpace space) {
    this.facts = facts;
    this.access = access;
    this.negotiations = List.copyOf(negotiations);
    this.space = space;
  }

  static VfioGroups open(
      HostFacts facts, List<IommuGroup> groups, IommuPolicy policy, Sharing sharing) {
    try (var undo = new Cleanup()) {
      var access = new LinkedHashMap<IommuGroup, GroupAccess>();
      var domains = new LinkedHashMap<GroupAccess, IommuDomain>();
      var negotiations = new ArrayList<Negotiation>();
      for (var group : groups) {
        var shared = domains.isEmpty() ? null : join(facts, group, domains);
        if (shared != null) {
          access.put(group, shared);
          continue;
        }
        if (!domains.isEmpty() && sharing == Sharing.REQUIRED) {
          throw cannotShare(group, domains.values().iterator().next().type());
        }
        var settled = domains.values().stream().findFirst().map(IommuDomain::type);
        var opened = negotiate(new Negotiator(facts, group, policy, settled));
        undo.add(opened.access()::close);
        if (opened.domain().type() == IommuType.NOIOMMU) {
          LOG.log(System.Logger.Level.WARNING, "{0}: {1}", group.label(), Negotiator.UNPROTECTED);
        }
        negotiations.add(opened.negotiation());
        access.put(group, opened.access());
        domains.put(opened.access(), opened.domain());
      }
      var space = space(facts, groups, List.copyOf(domains.values()));
      undo.release();
      return new VfioGroups(facts, access, negotiations, space);
    }
  }

  private record Opened(Negotiation negotiation, GroupAccess access, IommuDomain domain) {}

  private static Opened negotiate(Negotiator begun) {
    try (var negotiator = begun) {
      var negotiation = negotiator.negotiate();
      var domain = negotiator.domain();
      if (domain == null) {
        throw negotiator.nothingWorks(negotiation);
      }
      return new Opened(negotiation, negotiator.handOver(), domain);
    }
  }

  /** Puts a group to those that are open, if the kernel lets it share with one of them. */
  private static @Nullable GroupAccess join(
      HostFacts facts, IommuGroup group, Map<GroupAccess, IommuDomain> domains) {
    for (var entry : domains.entrySet()) {
      var domain = entry.getValue();
      if (mayShare(facts, domain.type()) && entry.getKey().join(group)) {
        domain.windows().clear();
        try {
          domain.describe();
        } catch (Refusal refusal) {
          throw refusal.of(group.label());
        }
        return entry.getKey();
      }
    }
    return null;
  }

  /**
   * Whether it is worth asking, and safe: version 1 of sPAPR has one group a container; so has
   * version 2 under a hypervisor, where some kernels since 6.11 crash when asked.
   */
  private static boolean mayShare(HostFacts facts, IommuType type) {
    return switch (type) {
      case IOMMUFD, TYPE1, TYPE1V2, TYPE1_NESTING -> true;
      case SPAPR_TCE_V2 -> facts.isBareMetalPower();
      case SPAPR_TCE, NOIOMMU, VFIO_USER -> false;
    };
  }

  private static VfioException cannotShare(IommuGroup group, IommuType type) {
    return new VfioException(
        "share a container",
        group.label(),
        null,
        switch (type) {
          case SPAPR_TCE -> "sPAPR version 1 has one group in a container.";
          case SPAPR_TCE_V2 ->
              "Under a hypervisor each group has DMA windows of its own, so sPAPR version 2 has one group in a container.";
          case NOIOMMU -> "Without an IOMMU there is nothing to share.";
          default -> "The IOMMUs of the groups, or their reserved addresses, do not go together.";
        },
        "Open the groups with Sharing.WHERE_POSSIBLE: each gets a container of its own, and every mapping is made in"
            + " each, which locks the memory once for each container.");
  }

  private static MappedSpace space(
      HostFacts facts, List<IommuGroup> groups, List<IommuDomain> domains) {
    var reserved = new ArrayList<ReservedRange>();
    groups.forEach(group -> reserved.addAll(facts.reservedRanges(group.id())));
    var subject =
        "%s, IOMMU type %s"
            .formatted(
                String.join(" and ", groups.stream().map(IommuGroup::label).toList()),
                domains.getFirst().type());
    var space = new MappedSpace(facts, subject, domains, reserved);
    if (space.windows().isEmpty()) {
      throw new VfioException(
          "share a DMA space",
          subject,
          null,
          "The groups have no valid address in common.",
          "Open them one by one.");
    }
    return space;
  }

  /** The groups as sysfs described them when they were opened. */
  public List<IommuGroup> info() {
    return List.copyOf(access.keySet());
  }

  /** The negotiations that found the IOMMU type, one for each container or IOAS. */
  public List<Negotiation> negotiations() {
    return negotiations;
  }

  /** The number of containers or IOAS: 1 where all groups share. */
  public int domains() {
    return (int) access.values().stream().distinct().count();
  }

  /** The memory that the devices can reach. */
  public DmaSpace dmaSpace() {
    return space;
  }

  /**
   * Opens a device of these groups. It is closed with them at the latest.
   *
   * @throws VfioException if it is in none of them, is not bound to a VFIO driver, or the kernel
   *     refuses
   */
  public VfioDevice device(PciAddress address) {
    return open(address, false);
  }

  synchronized FileDevice open(PciAddress address, boolean alone) {
    if (closed) {
      throw new IllegalStateException(space.subject() + ": closed");
    }
    var holder =
        access.entrySet().stream()
            .filter(
                entry ->
                    entry.getKey().devices().stream()
                        .anyMatch(device -> device.address().equals(address)))
            .map(Map.Entry::getValue)
            .findFirst()
            .orElseThrow(
                () ->
                    new VfioException(
                        "lookup",
                        "device " + address,
                        null,
                        "The device is in none of the open groups: " + info() + ".",
                        "Open its group together with these."));
    var device =
        FileDevice.open(facts.kernel(), holder, space, address, new Owner(this, address), alone);
    devices.add(device);
    return device;
  }

  /** The owner of one device of these groups. */
  private record Owner(VfioGroups groups, PciAddress address) implements DeviceOwner {
    @Override
    public HostFacts facts() {
      return groups.facts;
    }

    @Override
    public boolean isReachable() {
      return true; // the kernel answers for a device that is gone, too
    }

    @Override
    public boolean mapsMemory() {
      return false;
    }

    @Override
    public HotReset hotReset(OpenFile file) {
      return new HotReset(address, file, groups);
    }

    @Override
    public long writeEach(long offset, MemorySegment source, int width) {
      return Errno.ENOTTY.result(); // the kernel takes one write at a time
    }

    @Override
    public boolean forget(FileDevice device) {
      return groups.forget(device);
    }

    @Override
    public void close() {
      groups.close();
    }
  }

  HostFacts facts() {
    return facts;
  }

  /** The file of a group of these, where groups have any. */
  Optional<OpenFile> groupFile(int group) {
    return access.values().stream()
        .distinct()
        .flatMap(one -> one.groupFile(group).stream())
        .findFirst();
  }

  /** Takes a device off the list; it closes itself. */
  private synchronized boolean forget(FileDevice device) {
    return devices.remove(device);
  }

  @Override
  public void close() {
    List<FileDevice> open;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      open = List.copyOf(devices);
      devices.clear();
    }
    try (var steps = new Cleanup()) {
      steps.add(space::freeOrphans);
      access.values().stream().distinct().forEach(one -> steps.add(one::close));
      open.forEach(device -> steps.add(device::release));
      steps.add(space::close);
      open.forEach(device -> steps.add(device::quiesce));
    }
  }

  @Override
  public String toString() {
    return space.subject();
  }
}
