// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.GroupAdvice;
import io.jvfio.kernel.HostFacts;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.LinuxKernel;
import io.jvfio.spi.DeviceOpener;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * A machine with PCI devices and a VFIO-capable kernel: this one, or a simulated one.
 *
 * {@snippet class="io.jvfio.examples.Snippets" region="host"}
 *
 * <p>Safe for use by several threads; it holds no resource, and sysfs is read anew at each call.
 */
public final class VfioHost {
  private static final String DEVICES = "/sys/bus/pci/devices";
  private static final String GROUPS = "/sys/kernel/iommu_groups";
  private static final Pattern DECIMAL = Pattern.compile("[0-9]{1,9}");

  static {
    DeviceOpener.install(ConnectedDevice::open);
  }

  private final String name;
  private final Kernel kernel;
  private final HostFacts facts;

  private VfioHost(String name, Kernel kernel, Map<PciAddress, UUID> tokens) {
    this.name = name;
    this.kernel = kernel;
    this.facts = new HostFacts(kernel, tokens);
  }

  /**
   * The machine that this JVM runs on.
   *
   * @throws UnsupportedOperationException on an architecture whose user API jvfio does not know
   */
  public static VfioHost local() {
    return new VfioHost("local", LinuxKernel.instance(), Map.of());
  }

  /** A machine whose kernel is {@code kernel}. */
  public static VfioHost of(String name, Kernel kernel) {
    return new VfioHost(name, kernel, Map.of());
  }

  /**
   * The same machine, and a token to show when {@code device} is opened: a virtual function whose
   * physical function has a VFIO driver asks for the token of the latter's owner ({@link
   * DeviceFeatures#setVfToken}), and a physical function takes it for its own as long as none of
   * its virtual functions is open.
   *
   * @param device the virtual or the physical function; others are refused with a token
   */
  public VfioHost withVfToken(PciAddress device, UUID token) {
    var tokens = new HashMap<>(facts.tokens());
    tokens.put(device, token);
    return new VfioHost(name, kernel, tokens);
  }

  /** Its name on the command line: {@code local} or {@code sim:NAME}. */
  public String name() {
    return name;
  }

  /** The kernel of the machine, for those who read more of sysfs and procfs than is read here. */
  public Kernel kernel() {
    return kernel;
  }

  /** All PCI devices, by address; none where the machine has no PCI. */
  public List<HostDevice> devices() {
    return names(DEVICES).stream().map(PciAddress::parse).sorted().map(this::read).toList();
  }

  /**
   * The device at {@code address}.
   *
   * @throws VfioException if there is none
   */
  public HostDevice device(PciAddress address) {
    if (!names(DEVICES).contains(address.toString())) {
      throw new VfioException(
          "lookup",
          "device " + address,
          null,
          "There is no such PCI device on host " + name + ".",
          "'jvfio --host " + name + " list' shows those that there are.");
    }
    return read(address);
  }

  /**
   * Explains why a host without any IOMMU group has none, and what to do: sentences for its user,
   * which mean nothing where {@link #groups()} has one.
   */
  public String whyNoGroups() {
    return new GroupAdvice(facts).noGroups().text();
  }

  /** All IOMMU groups, by number; none where the machine has no IOMMU. */
  public List<IommuGroup> groups() {
    return names(GROUPS).stream()
        .filter(id -> DECIMAL.matcher(id).matches())
        .map(Integer::parseInt)
        .sorted()
        .map(this::readGroup)
        .toList();
  }

  /**
   * The group with this number.
   *
   * @throws VfioException if there is none
   */
  public IommuGroup group(int id) {
    if (!names(GROUPS).contains(Integer.toString(id))) {
      throw new VfioException(
          "lookup",
          "group " + id,
          null,
          "There is no such IOMMU group on host " + name + ".",
          "'jvfio --host " + name + " list' shows each device's group.");
    }
    return readGroup(id);
  }

  /**
   * Opens groups and negotiates their IOMMU type; their devices share one DMA space.
   *
   * @param ids the groups, at least one
   * @throws IllegalArgumentException if {@code ids} is empty
   * @throws VfioException naming the step that failed; nothing stays open, mapped or locked
   */
  public VfioGroups openGroups(Collection<Integer> ids, IommuPolicy policy, Sharing sharing) {
    if (ids.isEmpty()) {
      throw new IllegalArgumentException("no group to open");
    }
    var groups = ids.stream().distinct().map(id -> requireBound(group(id))).toList();
    return VfioGroups.open(facts, groups, policy, sharing);
  }

  /** Opens a device with the automatic policy; see {@link #open(PciAddress, IommuPolicy)}. */
  public VfioDevice open(PciAddress address) {
    return open(address, IommuPolicy.automatic());
  }

  /**
   * Opens a device together with its group, which is closed with it.
   *
   * @throws VfioException naming the step that failed; nothing stays open, mapped or locked
   */
  public VfioDevice open(PciAddress address, IommuPolicy policy) {
    var device = device(address);
    if (device.group().isEmpty()) {
      throw failedLookup("device " + address, new GroupAdvice(facts).noGroup(device, policy));
    }
    if (!device.isBoundToVfio()) {
      throw failedLookup(
          "device " + address,
          GroupAdvice.notBound(device, Optional.of(readGroup(device.group().getAsInt()))));
    }
    try (var undo = new Cleanup()) {
      var group = openGroups(List.of(device.group().getAsInt()), policy, Sharing.WHERE_POSSIBLE);
      undo.add(group::close);
      var opened = group.open(address, true);
      undo.release();
      return opened;
    }
  }

  /**
   * Negotiates with groups for real, trying every candidate of the policy on each, and leaves
   * nothing behind.
   *
   * @param ids the groups; empty for all that have a device bound to a VFIO driver, without those
   *     that have no IOMMU unless the policy has {@link IommuType#NOIOMMU}, or there are no others
   * @throws VfioException if a named group does not exist or has no device bound to a VFIO driver
   */
  public HostProbe probe(Collection<Integer> ids, IommuPolicy policy) {
    var groups =
        ids.isEmpty()
            ? groupsWorthTrying(policy)
            : ids.stream().sorted().distinct().map(id -> requireBound(group(id))).toList();
    var probes = new ArrayList<GroupProbe>();
    for (var group : groups) {
      probes.add(new GroupProbe(group, probe(group, policy)));
    }
    return new HostProbe(
        probes, Negotiator.common(policy, probes.stream().map(GroupProbe::negotiation).toList()));
  }

  /** Groups without an IOMMU count only where no-IOMMU is wanted, or where there are no others. */
  private List<IommuGroup> groupsWorthTrying(IommuPolicy policy) {
    var bound = groups().stream().filter(IommuGroup::isBoundToVfio).toList();
    var translated = bound.stream().filter(group -> !group.noIommu()).toList();
    return translated.isEmpty() || policy.candidates().contains(IommuType.NOIOMMU)
        ? bound
        : translated;
  }

  private Negotiation probe(IommuGroup group, IommuPolicy policy) {
    try (var negotiator = new Negotiator(facts, group, policy, Optional.empty())) {
      return negotiator.survey();
    }
  }

  private IommuGroup requireBound(IommuGroup group) {
    if (group.isBoundToVfio()) {
      return group;
    }
    throw failedLookup(group.label(), GroupAdvice.notBound(group));
  }

  private static VfioException failedLookup(String subject, Explanation why) {
    return why.failure("lookup", subject, null);
  }

  private HostDevice read(PciAddress address) {
    var directory = DEVICES + "/" + address;
    return new HostDevice(
        address,
        hex(directory + "/class"),
        hex(directory + "/vendor"),
        hex(directory + "/device"),
        lastName(directory + "/driver"),
        lastName(directory + "/iommu_group")
            .map(group -> OptionalInt.of(Integer.parseInt(group)))
            .orElse(OptionalInt.empty()));
  }

  private IommuGroup readGroup(int id) {
    var directory = GROUPS + "/" + id;
    var devices =
        names(directory + "/devices").stream()
            .filter(PciAddress::isValid)
            .map(PciAddress::parse)
            .sorted()
            .map(this::read)
            .toList();
    boolean noIommu;
    try {
      noIommu = kernel.readText(directory + "/name").equals("vfio-noiommu");
    } catch (ErrnoException e) {
      if (!e.errno().equals(Errno.ENOENT)) {
        throw unreadable(directory + "/name", e);
      }
      noIommu = false; // groups without a name are those of real IOMMUs
    }
    return new IommuGroup(id, noIommu, devices);
  }

  private int hex(String path) {
    try {
      return Integer.decode(kernel.readText(path));
    } catch (ErrnoException e) {
      throw unreadable(path, e);
    }
  }

  private static VfioException unreadable(String path, ErrnoException cause) {
    var failure =
        new VfioException(
            "read",
            path,
            cause.errno(),
            "sysfs does not describe the device.",
            "Check that /sys is mounted and that the device is still there.");
    failure.initCause(cause);
    return failure;
  }

  private List<String> names(String directory) {
    try {
      return kernel.list(directory);
    } catch (ErrnoException e) {
      if (e.errno().equals(Errno.ENOENT)) {
        return List.of();
      }
      throw unreadable(directory, e);
    }
  }

  private Optional<String> lastName(String link) {
    try {
      var target = kernel.readLink(link);
      return Optional.of(target.substring(target.lastIndexOf('/') + 1));
    } catch (ErrnoException e) {
      if (e.errno().equals(Errno.ENOENT)) {
        return Optional.empty(); // the link is there only where there is something to point to
      }
      throw unreadable(link, e);
    }
  }

  /** Its name. */
  @Override
  public String toString() {
    return name;
  }
}
