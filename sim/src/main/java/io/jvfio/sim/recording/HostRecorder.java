// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import static java.util.Objects.requireNonNullElse;

import io.jvfio.Attempt;
import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.IommuPolicy;
import io.jvfio.IommuType;
import io.jvfio.Sharing;
import io.jvfio.VfioException;
import io.jvfio.VfioGroups;
import io.jvfio.VfioHost;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.ErrnoException;
import io.jvfio.linux.Kernel;
import io.jvfio.linux.uapi.Layouts;
import io.jvfio.linux.uapi.LittleEndian;
import io.jvfio.linux.uapi.PciRegs;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.linux.uapi.VfioIommuType1Info;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostDescription.BarPlace;
import io.jvfio.sim.setup.HostDescription.Function;
import io.jvfio.sim.setup.HostDescription.Group;
import io.jvfio.sim.setup.HostDescription.IommufdSupport;
import io.jvfio.sim.setup.HostDescription.Reserved;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.RecordedFacts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Sees what can be seen of a host through its kernel: files of sysfs and procfs, and, of groups
 * that may be opened, what negotiation is answered. It leaves nothing open, and asks only what
 * {@code probe} asks.
 *
 * <p>It reads named attributes only. No serial number, name or address of the network, no command
 * line of kernel or process, and nothing of configuration space that is a vendor's own is among
 * them; see {@link ConfigMask}.
 */
public final class HostRecorder {
  private static final String DEVICES = "/sys/bus/pci/devices/";
  private static final String GROUPS = "/sys/kernel/iommu_groups/";
  private static final String TREE = "devicetree/base/";
  private static final String TREE_ROOT = "/sys/firmware/devicetree/base";
  private static final String VFIO = "/dev/vfio";

  private static final long USUAL_PAGES = 0x4020_1000L;
  private static final long USUAL_LAST_IOVA = (1L << 48) - 1;
  private static final long USUAL_WINDOW_PAGES = 0x0121_1000L;
  private static final long USUAL_BLOCK = 1L << 37;
  private static final long USUAL_SECOND_WINDOW = 0x0800_0000_0000_0000L;
  private static final long USUAL_NATIVE_SECOND_WINDOW = 1L << 59;
  private static final int USUAL_LEVELS = 5;
  private static final long GIB = 1L << 30;

  private static final int QEMU = 0x1b36;
  private static final int QEMU_NVME = 0x0010;
  private static final int CLASS_NVME = 0x010802;
  private static final int BARS = 6;
  private static final long FLAG_PREFETCH_OR_ADDRESS = 0xf;

  private static final Pattern HYPERVISOR_FLAG =
      Pattern.compile("^flags\\b.*\\bhypervisor\\b", Pattern.MULTILINE);
  private static final Pattern RANGE =
      Pattern.compile("0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) (\\S+)");

  private final Kernel kernel;
  private final VfioHost host;
  private final List<String> notSeen = new ArrayList<>();
  private final HostSettings settings = new HostSettings();
  private final List<RecordedFacts.Answer> answers = new ArrayList<>();

  private HostRecorder(Kernel kernel) {
    this.kernel = kernel;
    this.host = VfioHost.of("recorded", kernel);
  }

  /**
   * Records a host.
   *
   * @param name the name that it has from now on
   * @throws VfioException if sysfs cannot be read
   */
  public static Recording record(Kernel kernel, String name) {
    return new HostRecorder(kernel).record(name);
  }

  private Recording record(String name) {
    var release = text("/proc/sys/kernel/osrelease").orElse("0.0-unknown");
    var devices = host.devices();
    process();
    settings.vfioLoaded = names("/sys/module").contains("vfio") || !names(VFIO).isEmpty();
    settings.groupAccess = false;
    var groups = new ArrayList<Group>();
    for (var group : host.groups()) {
      groups.add(group(group));
    }
    negotiate();
    var seen = new LinkedHashMap<String, RecordedFacts.Device>();
    var functions = new ArrayList<Function>();
    for (var device : devices) {
      function(device, seen, functions);
    }
    if (devices.isEmpty()) {
      notSeen.add("There is no PCI device, so nothing of one is here.");
    }
    var platform = platform(functions);
    boolean iommufd = names("/dev").contains("iommu") && platform instanceof IommuPlatform.Paging;
    var facts =
        new RecordedFacts(
            machine(),
            names("/sys/class/iommu").stream().sorted().toList(),
            text("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode").orElse(null),
            Map.copyOf(seen),
            List.copyOf(answers));
    var description =
        new HostDescription(
            name,
            "A recording of a host with Linux " + release + ".",
            kernel.architecture(),
            kernel.pageSize(),
            RecordingReader.era(release),
            release,
            platform,
            List.copyOf(groups),
            List.copyOf(functions),
            iommufd ? new IommufdSupport(0, 0) : null,
            facts);
    return new Recording(description, settings, notSeen);
  }

  private void process() {
    var status = text("/proc/self/status").orElse("");
    settings.uid = field(status, "Uid:").map(ids -> ids.startsWith("0") ? 0 : 1).orElse(1);
    settings.capabilities =
        field(status, "CapEff:").map(mask -> Long.parseUnsignedLong(mask, 16)).orElse(0L);
    settings.lockedMemoryLimit = kernel.lockedMemoryLimit();
    settings.dmaEntryLimit =
        text("/sys/module/vfio_iommu_type1/parameters/dma_entry_limit")
            .map(HostRecorder::limit)
            .orElse(settings.dmaEntryLimit);
  }

  private static int limit(String text) {
    return Math.clamp(Long.parseUnsignedLong(text), 1, Integer.MAX_VALUE);
  }

  private static Optional<String> field(String status, String key) {
    return status
        .lines()
        .filter(line -> line.startsWith(key))
        .map(line -> line.substring(key.length()).strip())
        .findFirst();
  }

  private RecordedFacts.Machine machine() {
    var compatible = bytes(TREE_ROOT + "/compatible");
    return new RecordedFacts.Machine(
        text("/sys/class/dmi/id/sys_vendor").orElse(null),
        text("/sys/class/dmi/id/product_name").orElse(null),
        text("/proc/cpuinfo").filter(text -> HYPERVISOR_FLAG.matcher(text).find()).isPresent(),
        compatible.length == 0
            ? List.of()
            : List.of(new String(compatible, StandardCharsets.US_ASCII).split("\0", -1)).stream()
                .filter(each -> !each.isEmpty())
                .toList());
  }

  private Group group(IommuGroup group) {
    var directory = GROUPS + group.id();
    var reserved = new ArrayList<Reserved>();
    text(directory + "/reserved_regions")
        .ifPresent(
            text ->
                text.lines()
                    .map(RANGE::matcher)
                    .filter(Matcher::matches)
                    .forEach(
                        range ->
                            reserved.add(
                                new Reserved(
                                    Long.parseUnsignedLong(range.group(1), 16),
                                    Long.parseUnsignedLong(range.group(2), 16),
                                    range.group(3)))));
    return new Group(group.id(), text(directory + "/name").orElse(null), List.copyOf(reserved));
  }

  /** Negotiates as probe does, and asks for the types that it leaves out. */
  private void negotiate() {
    if (host.groups().stream().noneMatch(IommuGroup::isBoundToVfio)) {
      notSeen.add(
          "No group has a device bound to a VFIO driver, so nothing of negotiation is here: every type answers as"
              + " this kernel's release does elsewhere.");
      settings.iommuDriverLoaded =
          names("/sys/module").stream().anyMatch(module -> module.startsWith("vfio_iommu_"));
      return;
    }
    var holders = new TreeMap<Integer, HostSettings.Holder>();
    boolean isAnyTold = false;
    for (var group : host.groups()) {
      if (!group.isBoundToVfio()) {
        continue;
      }
      var negotiation =
          host.probe(List.of(group.id()), IommuPolicy.automatic())
              .groups()
              .getFirst()
              .negotiation();
      negotiation.attempts().forEach(attempt -> answers.add(answer(group, attempt)));
      var failure = negotiation.failure();
      boolean isBusy =
          failure.flatMap(VfioException::errno).filter(Errno.EBUSY::equals).isPresent();
      if (isBusy) {
        holders.put(group.id(), HostSettings.Holder.UNSEEN);
      }
      if (failure.isPresent() && failure.get().operation().startsWith("open")) {
        notSeen.add(
            "Group %d could not be opened (%s), so nothing of its negotiation is here."
                .formatted(
                    group.id(), failure.get().errno().map(Errno::symbol).orElse("no errno")));
      } else {
        isAnyTold |= negotiation.attempts().stream().anyMatch(Attempt::isTelling);
        if (settings.uid != 0) {
          settings.groupAccess = true;
        }
      }
      if (!group.noIommu()) {
        named(group, IommuType.TYPE1_NESTING);
      }
    }
    settings.holders = Map.copyOf(holders);
    settings.iommuDriverLoaded =
        isAnyTold
            || names("/sys/module").stream().anyMatch(module -> module.startsWith("vfio_iommu_"));
  }

  private void named(IommuGroup group, IommuType type) {
    host
        .probe(List.of(group.id()), IommuPolicy.require(type))
        .groups()
        .getFirst()
        .negotiation()
        .attempts()
        .stream()
        .filter(Attempt::isTelling)
        .forEach(attempt -> answers.add(answer(group, attempt)));
  }

  private static RecordedFacts.Answer answer(IommuGroup group, Attempt attempt) {
    return new RecordedFacts.Answer(
        group.id(),
        attempt.type(),
        attempt.advertised(),
        attempt.reached().id(),
        attempt.outcome().id(),
        attempt.call().orElse(null),
        attempt.errno().orElse(null));
  }

  private void function(
      HostDevice device, Map<String, RecordedFacts.Device> seen, List<Function> functions) {
    var address = device.address().toString();
    var directory = DEVICES + address;
    var raw = bytes(directory + "/config");
    if (raw.length < PciRegs.PCI_STD_HEADER_SIZEOF) {
      notSeen.add(
          "Device %s: configuration space cannot be read, so it is made up of its ids."
              .formatted(address));
      raw = header(device);
    } else if (raw.length == PciRegs.PCI_STD_HEADER_SIZEOF) {
      notSeen.add(
          "Device %s: without CAP_SYS_ADMIN only the first 64 bytes of configuration space can be read, so it has no capabilities."
              .formatted(address));
    }
    var kept = ConfigMask.of(raw);
    seen.put(
        address,
        new RecordedFacts.Device(
            HexFormat.of().formatHex(kept),
            names(directory).contains("reset_method") || names(directory).contains("reset"),
            text(directory + "/numa_node").map(Integer::parseInt).orElse(-1),
            link(directory + "/iommu").map(HostRecorder::lastName).orElse(null)));
    var config = MemorySegment.ofArray(kept);
    boolean isQemuNvme =
        device.vendor() == QEMU && device.device() == QEMU_NVME && device.classCode() == CLASS_NVME;
    functions.add(
        new Function(
            address,
            bridges(directory, address),
            device.vendor(),
            device.device(),
            device.classCode(),
            (int) LittleEndian.load(config, PciRegs.PCI_REVISION_ID, 1),
            (int) LittleEndian.load(config, PciRegs.PCI_COMMAND, 2),
            text(directory + "/irq").map(Integer::parseInt).orElse(0),
            device.group().orElse(-1),
            device.driver().orElse(null),
            isQemuNvme ? "recorded" : null,
            bars(directory, config),
            link(directory + "/of_node").map(HostRecorder::node).orElse(null)));
  }

  private static byte[] header(HostDevice device) {
    var bytes = new byte[PciRegs.PCI_STD_HEADER_SIZEOF];
    var header = MemorySegment.ofArray(bytes);
    LittleEndian.store(header, PciRegs.PCI_VENDOR_ID, 2, device.vendor());
    LittleEndian.store(header, PciRegs.PCI_DEVICE_ID, 2, device.device());
    LittleEndian.store(header, PciRegs.PCI_CLASS_PROG, 1, device.classCode());
    LittleEndian.store(header, PciRegs.PCI_CLASS_PROG + 1, 2, device.classCode() >> 8);
    return bytes;
  }

  /** The bridges above a device, outermost first, as its path tells them. */
  private List<String> bridges(String directory, String address) {
    var path = link(directory).map(target -> target.split("/", -1)).orElse(new String[0]);
    var bridges = new ArrayList<String>();
    for (var part : path) {
      if (part.startsWith("pci")) {
        bridges.clear(); // a host bridge, which may be below a device of another
      } else if (RecordingReader.isAddress(part) && !part.equals(address)) {
        bridges.add(part);
      }
    }
    return List.copyOf(bridges);
  }

  private List<BarPlace> bars(String directory, MemorySegment config) {
    var bars = new ArrayList<BarPlace>();
    var lines = text(directory + "/resource").orElse("").lines().limit(BARS).toList();
    for (int bar = 0; bar < lines.size(); bar++) {
      var numbers =
          Stream.of(lines.get(bar).split(" ", -1))
              .map(number -> Long.parseUnsignedLong(number.substring(2), 16))
              .toList();
      long size = numbers.get(1) - numbers.get(0) + 1;
      if (numbers.get(2) == 0 || Long.bitCount(size) != 1) {
        continue;
      }
      int at = PciRegs.PCI_BASE_ADDRESS_0 + 4 * bar;
      long register = LittleEndian.load(config, at, 4);
      var place = new BarPlace(bar, numbers.get(0), 0, size, numbers.get(2));
      long low = place.hasPorts() ? register & ~3L : register & ~FLAG_PREFETCH_OR_ADDRESS;
      boolean isWide = !place.hasPorts() && (register & 6) == 4 && bar + 1 < BARS;
      long bus = isWide ? low | LittleEndian.load(config, at + 4, 4) << 32 : low;
      bars.add(new BarPlace(bar, numbers.get(0), bus, size, numbers.get(2)));
    }
    return List.copyOf(bars);
  }

  private static @Nullable String node(String target) {
    int tree = target.indexOf(TREE);
    return tree < 0 ? null : target.substring(tree + TREE.length());
  }

  private IommuPlatform platform(List<Function> functions) {
    boolean isCovered = host.groups().stream().anyMatch(group -> !group.noIommu());
    if (kernel.architecture() == Architecture.PPC64LE) {
      return power(functions);
    }
    if (!isCovered && names("/sys/class/iommu").isEmpty()) {
      return new IommuPlatform.None();
    }
    var names = names("/sys/class/iommu").stream().sorted().toList();
    var instance = names.isEmpty() ? "iommu" : names.getFirst();
    var nesting =
        answers.stream()
            .filter(answer -> answer.type() == IommuType.TYPE1_NESTING)
            .map(RecordedFacts.Answer::errno)
            .flatMap(Stream::ofNullable)
            .findFirst()
            .orElse(Errno.EINVAL);
    var type1 = usable(IommuType.TYPE1V2, IommuType.TYPE1);
    if (type1.isEmpty()) {
      notSeen.add(
          "Page sizes and the last IOVA could not be asked for: 4 KiB, 2 MiB and 1 GiB, and 48 bits, stand in their place.");
      return new IommuPlatform.Paging(instance, USUAL_PAGES, USUAL_LAST_IOVA, nesting);
    }
    var answer = type1.get();
    long last = USUAL_LAST_IOVA;
    try (var groups = open(answer)) {
      last = groups.dmaSpace().windows().getLast().last();
    }
    return new IommuPlatform.Paging(instance, pageSizes(answer), last, nesting);
  }

  private Optional<RecordedFacts.Answer> usable(IommuType... types) {
    return Stream.of(types)
        .flatMap(
            type ->
                answers.stream()
                    .filter(answer -> answer.type() == type && answer.outcome().equals("usable")))
        .findFirst();
  }

  private VfioGroups open(RecordedFacts.Answer answer) {
    return host.openGroups(
        List.of(answer.group()), IommuPolicy.require(answer.type()), Sharing.REQUIRED);
  }

  /** All page sizes, of which the library tells the smallest only. */
  private long pageSizes(RecordedFacts.Answer answer) {
    int container = kernel.open(VFIO + "/vfio", Kernel.O_RDWR);
    int group = kernel.open(VFIO + "/" + answer.group(), Kernel.O_RDWR);
    try (var arena = Arena.ofConfined()) {
      var info = VfioIommuType1Info.STRUCT.allocate(arena);
      if (container < 0
          || group < 0
          || kernel.ioctl(
                  group, Vfio.VFIO_GROUP_SET_CONTAINER, arena.allocateFrom(Layouts.U32, container))
              < 0
          || kernel.ioctl(container, Vfio.VFIO_SET_IOMMU, answer.type().extension().orElseThrow())
              < 0
          || kernel.ioctl(container, Vfio.VFIO_IOMMU_GET_INFO, info) < 0) {
        return USUAL_PAGES;
      }
      return VfioIommuType1Info.IOVA_PGSIZES.get(info);
    } finally {
      if (group >= 0) {
        kernel.close(group);
      }
      if (container >= 0) {
        kernel.close(container);
      }
    }
  }

  private IommuPlatform power(List<Function> functions) {
    boolean isNative =
        new String(bytes(TREE_ROOT + "/compatible"), StandardCharsets.US_ASCII)
            .contains("ibm,powernv");
    var v2 = usable(IommuType.SPAPR_TCE_V2);
    var any = v2.or(() -> usable(IommuType.SPAPR_TCE));
    long windowSize = isNative ? 2 * GIB : GIB;
    long pageSizes = isNative ? USUAL_PAGES | 1 << 16 : USUAL_WINDOW_PAGES;
    int levels = USUAL_LEVELS;
    if (any.isPresent()) {
      try (var groups = open(any.get())) {
        var space = groups.dmaSpace();
        windowSize = space.windows().getFirst().last() + 1;
        var windows = space.dynamicWindows();
        if (windows.isPresent()) {
          pageSizes = windows.get().pageSizes().stream().reduce(0L, (all, size) -> all | size);
          levels = windows.get().levels();
        }
      }
    } else {
      windowSize = toldWindow(functions).orElse(windowSize);
    }
    if (v2.isEmpty()) {
      notSeen.add(
          "The page sizes of further DMA windows could not be asked for: usual ones stand in their place.");
    }
    return isNative
        ? new IommuPlatform.Ioda2(windowSize, pageSizes, levels, USUAL_NATIVE_SECOND_WINDOW)
        : new IommuPlatform.Partition(
            windowSize,
            functions.stream().anyMatch(this::hasDynamicWindows),
            pageSizes,
            USUAL_BLOCK,
            USUAL_SECOND_WINDOW);
  }

  /** The size of the default window in the device tree: the last cell of {@code ibm,dma-window}. */
  private Optional<Long> toldWindow(List<Function> functions) {
    for (var function : functions) {
      var node = requireNonNullElse(function.node(), "");
      var window = bytes(TREE_ROOT + "/" + topOf(node) + "/ibm,dma-window");
      if (window.length >= Integer.BYTES) {
        long size = 0;
        for (int i = window.length - Integer.BYTES; i < window.length; i++) {
          size = size << Byte.SIZE | (window[i] & 0xff);
        }
        if (Long.bitCount(size) == 1) {
          return Optional.of(size);
        }
      }
    }
    return Optional.empty();
  }

  private boolean hasDynamicWindows(Function function) {
    var node = requireNonNullElse(function.node(), "");
    while (!node.isEmpty()) {
      if (names(TREE_ROOT + "/" + node).contains("ibm,ddw-applicable")) {
        return true;
      }
      node = node.contains("/") ? node.substring(0, node.lastIndexOf('/')) : "";
    }
    return false;
  }

  private static String topOf(String node) {
    return node.contains("/") ? node.substring(0, node.indexOf('/')) : node;
  }

  private static String lastName(String target) {
    return target.substring(target.lastIndexOf('/') + 1);
  }

  private Optional<String> text(String path) {
    try {
      return Optional.of(kernel.readText(path));
    } catch (ErrnoException e) {
      return Optional.empty(); // whoever asks knows what its absence means
    }
  }

  private byte[] bytes(String path) {
    try {
      return kernel.readBytes(path);
    } catch (ErrnoException e) {
      return new byte[0];
    }
  }

  private Optional<String> link(String path) {
    try {
      return Optional.of(kernel.readLink(path));
    } catch (ErrnoException e) {
      return Optional.empty();
    }
  }

  private List<String> names(String directory) {
    try {
      return kernel.list(directory);
    } catch (ErrnoException e) {
      return List.of();
    }
  }
}
