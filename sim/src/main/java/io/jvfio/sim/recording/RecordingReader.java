// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.recording;

import io.jvfio.IommuType;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.Errno;
import io.jvfio.linux.Kernel;
import io.jvfio.model.Bar;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostDescription.BarPlace;
import io.jvfio.sim.setup.HostDescription.Function;
import io.jvfio.sim.setup.HostDescription.Group;
import io.jvfio.sim.setup.HostDescription.IommufdSupport;
import io.jvfio.sim.setup.HostDescription.Reserved;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.IommuPlatform;
import io.jvfio.sim.setup.KernelEra;
import io.jvfio.sim.setup.RecordedFacts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads recordings, of which people may have changed anything: each value is checked, and an error
 * says where it stands and what is expected there.
 */
public final class RecordingReader {
  /** What a controller without a recorded one has for a serial number. */
  private static final String SERIAL = "recorded";

  /** The rest of what iommufd tells of an Intel IOMMU is not recorded. */
  private static final IommufdSupport IOMMUFD =
      new IommufdSupport(0x80d2_008c_222f_0686L, 0xf0_0f4aL);

  private static final int NOBODY = 65534;
  private static final int LAST_GROUP = 999_999_999;
  private static final long LARGEST_WINDOW = 1L << 62;

  private static final Pattern ADDRESS =
      Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\\.[0-7]");
  private static final Pattern RELEASE = Pattern.compile("[0-9]{1,4}\\.[0-9]{1,4}[!-~]{0,120}");
  private static final Pattern WORD = Pattern.compile("[A-Za-z0-9_.:@+-]{1,64}");
  private static final Pattern NODE =
      Pattern.compile("[a-z0-9,._+-]+@[a-z0-9,]+(/[a-z0-9,._+-]+@[a-z0-9,]+)+");
  private static final Pattern CALL = Pattern.compile("[A-Za-z0-9_/() -]{1,80}");
  private static final Pattern CONFIG_LINE = Pattern.compile("[0-9a-f]{3}: [0-9a-f]{64}");
  private static final Pattern ERRNO_NUMBER = Pattern.compile("errno ([0-9]{1,4})");
  private static final Pattern VERSION = Pattern.compile("([0-9]+)\\.([0-9]+).*", Pattern.DOTALL);

  private static final Set<String> RESERVED_TYPES =
      Set.of("direct", "direct-relaxable", "reserved", "msi");

  private final HostSettings settings = new HostSettings();
  private final List<RecordedFacts.Answer> answers = new ArrayList<>();
  private final Map<String, RecordedFacts.Device> seen = new LinkedHashMap<>();

  private RecordingReader() {}

  /**
   * Reads a recording.
   *
   * @param file its name, for errors
   * @throws IllegalArgumentException if it is none; the message says where, and what is expected
   */
  public static Recording read(String file, String text) {
    return new RecordingReader().document(FileValue.parse(file, text));
  }

  /** The kernel, as VFIO's answers tell them apart, of a release. */
  static KernelEra era(String release) {
    var version = VERSION.matcher(release);
    if (!version.matches() || version.group(1).length() > 4 || version.group(2).length() > 4) {
      return KernelEra.LINUX_6_12;
    }
    int number = 10_000 * Integer.parseInt(version.group(1)) + Integer.parseInt(version.group(2));
    return number < 60_004
        ? KernelEra.LINUX_5_10
        : number < 60_011 ? KernelEra.LINUX_6_8 : KernelEra.LINUX_6_12;
  }

  private Recording document(FileValue document) {
    var format = document.peek("format");
    if (!format.text().equals(RecordingWriter.FORMAT)) {
      throw format.wrong("'" + RecordingWriter.FORMAT + "'");
    }
    var version = document.peek("version");
    if (version.number(0, Integer.MAX_VALUE) != RecordingWriter.VERSION) {
      throw version.wrong(
          RecordingWriter.VERSION
              + ", the one version that this jvfio reads (a newer one may read others)");
    }
    var members =
        document.members(
            "format",
            "version",
            "name",
            "description",
            "notSeen",
            "kernel",
            "machine",
            "process",
            "vfio",
            "iommu",
            "groups",
            "devices");
    var kernel = members.of("kernel").members("release", "architecture", "pageSize");
    var release = kernel.of("release").text(RELEASE, "a release such as 6.12.107-amd64");
    var architecture = architecture(kernel.of("architecture"));
    int pageSize = (int) powerOfTwo(kernel.of("pageSize"), 1 << 12, 1 << 16);
    var machine = machine(members.of("machine"));
    process(members.of("process"));
    var vfio =
        members
            .of("vfio")
            .members(
                "loaded",
                "iommuDriverLoaded",
                "nodesOpenToAll",
                "iommufd",
                "enableUnsafeNoIommuMode",
                "dmaEntryLimit");
    settings.vfioLoaded = vfio.of("loaded").truth();
    settings.iommuDriverLoaded = vfio.of("iommuDriverLoaded").truth();
    settings.groupAccess = vfio.of("nodesOpenToAll").truth();
    settings.dmaEntryLimit = vfio.of("dmaEntryLimit").integer(1, Integer.MAX_VALUE);
    boolean iommufd = vfio.of("iommufd").truth();
    var mode = vfio.of("enableUnsafeNoIommuMode");
    var noIommuMode =
        mode.isNull() ? null : mode.text(Pattern.compile("[YN]"), "\"Y\", \"N\" or null");
    var iommu = members.of("iommu");
    var platform = platform(iommu, architecture);
    if (iommufd && !(platform instanceof IommuPlatform.Paging)) {
      throw vfio.of("iommufd").wrong("false where the IOMMU's kind is not paging");
    }
    var names = texts(iommu.peek("names"), WORD, "the name of an IOMMU such as dmar0");
    var groups = groups(members.of("groups"));
    var functions = devices(members.of("devices"), groups);
    var facts =
        new RecordedFacts(machine, names, noIommuMode, Map.copyOf(seen), List.copyOf(answers));
    return new Recording(
        new HostDescription(
            members.of("name").text(WORD, "a name of letters, digits and dashes"),
            members.of("description").text(),
            architecture,
            pageSize,
            era(release),
            release,
            platform,
            groups,
            functions,
            iommufd ? IOMMUFD : null,
            facts),
        settings,
        members.of("notSeen").elements().stream().map(FileValue::text).toList());
  }

  private static Architecture architecture(FileValue value) {
    var name = value.text();
    for (var each : Architecture.values()) {
      if (each.name().toLowerCase(Locale.ROOT).equals(name)) {
        return each;
      }
    }
    throw value.wrong(
        "one of "
            + Arrays.stream(Architecture.values())
                .map(each -> each.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", ")));
  }

  private static long powerOfTwo(FileValue value, long least, long most) {
    long number = value.number(least, most);
    if (Long.bitCount(number) != 1) {
      throw value.wrong("a power of two from " + least + " to " + most);
    }
    return number;
  }

  private static List<String> texts(FileValue list, Pattern form, String expected) {
    return list.elements().stream().map(each -> each.text(form, expected)).toList();
  }

  private static RecordedFacts.Machine machine(FileValue value) {
    var machine = value.members("vendor", "product", "hypervisorFlag", "compatible");
    return new RecordedFacts.Machine(
        machine.of("vendor").textOrNull(),
        machine.of("product").textOrNull(),
        machine.of("hypervisorFlag").truth(),
        machine.of("compatible").elements().stream().map(FileValue::text).toList());
  }

  private void process(FileValue value) {
    var process = value.members("root", "capabilities", "lockedMemoryLimit");
    settings.uid = process.of("root").truth() ? 0 : NOBODY;
    settings.capabilities = process.of("capabilities").hexadecimal();
    var limit = process.of("lockedMemoryLimit");
    settings.lockedMemoryLimit =
        limit.isNull() ? Kernel.NO_LIMIT : limit.number(0, Kernel.NO_LIMIT - 1);
  }

  private static IommuPlatform platform(FileValue iommu, Architecture architecture) {
    var kind = iommu.peek("kind");
    boolean isPower = architecture == Architecture.PPC64LE;
    return switch (kind.text()) {
      case "none" -> {
        iommu.members("names", "kind");
        yield new IommuPlatform.None();
      }
      case "paging" -> {
        if (isPower) {
          throw kind.wrong("powernv, pseries or none on ppc64le");
        }
        var paging = iommu.members("names", "kind", "pageSizes", "lastIova", "nestingError");
        long pageSizes = paging.of("pageSizes").hexadecimal();
        if (pageSizes == 0) {
          throw paging.of("pageSizes").wrong("a bit for each page size");
        }
        var names = paging.of("names").elements();
        yield new IommuPlatform.Paging(
            names.isEmpty() ? "iommu" : names.getFirst().text(),
            pageSizes,
            paging.of("lastIova").hexadecimal(),
            errno(paging.of("nestingError")));
      }
      case "powernv" -> {
        var ioda2 =
            powerOnly(iommu, kind, isPower)
                .members("names", "kind", "windowSize", "pageSizes", "levels", "secondWindowStart");
        yield new IommuPlatform.Ioda2(
            windowSize(ioda2.of("windowSize")),
            ioda2.of("pageSizes").hexadecimal(),
            ioda2.of("levels").integer(1, 5),
            ioda2.of("secondWindowStart").hexadecimal());
      }
      case "pseries" -> {
        var partition =
            powerOnly(iommu, kind, isPower)
                .members(
                    "names",
                    "kind",
                    "windowSize",
                    "dynamicWindows",
                    "pageSizes",
                    "largestBlock",
                    "secondWindowStart");
        yield new IommuPlatform.Partition(
            windowSize(partition.of("windowSize")),
            partition.of("dynamicWindows").truth(),
            partition.of("pageSizes").hexadecimal(),
            partition.of("largestBlock").hexadecimal(),
            partition.of("secondWindowStart").hexadecimal());
      }
      default -> throw kind.wrong("none, paging, powernv or pseries");
    };
  }

  private static FileValue powerOnly(FileValue iommu, FileValue kind, boolean isPower) {
    if (!isPower) {
      throw kind.wrong("paging or none on this architecture");
    }
    return iommu;
  }

  private static long windowSize(FileValue value) {
    long size = value.hexadecimal();
    if (size < 1 << 20 || size > LARGEST_WINDOW || Long.bitCount(size) != 1) {
      throw value.wrong("a power of two from 0x100000 to 0x4000000000000000");
    }
    return size;
  }

  private static Errno errno(FileValue value) {
    var symbol = value.text();
    var numbered = ERRNO_NUMBER.matcher(symbol);
    if (numbered.matches() && Integer.parseInt(numbered.group(1)) > 0) {
      return Errno.of(Integer.parseInt(numbered.group(1)));
    }
    return Errno.ofSymbol(symbol).orElseThrow(() -> value.wrong("an errno such as EPERM"));
  }

  private List<Group> groups(FileValue list) {
    var groups = new ArrayList<Group>();
    var ids = new HashSet<Integer>();
    var holders = new TreeMap<Integer, HostSettings.Holder>();
    for (var each : list.elements()) {
      var group = each.members("id", "name", "reserved", "heldElsewhere", "attempts");
      int id = group.of("id").integer(0, LAST_GROUP);
      if (!ids.add(id)) {
        throw group.of("id").wrong("a number that no other group has");
      }
      var name = group.of("name");
      var reserved = new ArrayList<Reserved>();
      for (var range : group.of("reserved").elements()) {
        reserved.add(reserved(range));
      }
      groups.add(
          new Group(
              id,
              name.isNull() ? null : name.text(WORD, "a name such as vfio-noiommu, or null"),
              List.copyOf(reserved)));
      if (group.of("heldElsewhere").truth()) {
        holders.put(id, HostSettings.Holder.UNSEEN);
      }
      for (var attempt : group.of("attempts").elements()) {
        answers.add(answer(id, attempt));
      }
    }
    settings.holders = Map.copyOf(holders);
    return List.copyOf(groups);
  }

  private static Reserved reserved(FileValue value) {
    var range = value.members("start", "last", "type");
    long start = range.of("start").hexadecimal();
    long last = range.of("last").hexadecimal();
    if (Long.compareUnsigned(last, start) < 0) {
      throw range.of("last").wrong("an address not below the start");
    }
    var type = range.of("type");
    if (!RESERVED_TYPES.contains(type.text())) {
      throw type.wrong("direct, direct-relaxable, reserved or msi");
    }
    return new Reserved(start, last, type.text());
  }

  private static RecordedFacts.Answer answer(int group, FileValue value) {
    var attempt = value.members("type", "advertised", "reached", "outcome", "call", "errno");
    var type = attempt.of("type");
    IommuType known;
    try {
      known = IommuType.of(type.text());
    } catch (IllegalArgumentException e) {
      throw type.wrong("a type of IOMMU such as type1v2");
    }
    var call = attempt.of("call");
    var errno = attempt.of("errno");
    return new RecordedFacts.Answer(
        group,
        known,
        attempt.of("advertised").truth(),
        oneOf(attempt.of("reached"), "none", "advertised", "accepted", "described", "usable"),
        oneOf(attempt.of("outcome"), "usable", "refused", "unusable", "skipped"),
        call.isNull() ? null : call.text(CALL, "the name of a call, or null"),
        errno.isNull() ? null : errno(errno));
  }

  private static String oneOf(FileValue value, String... words) {
    var word = value.text();
    if (!List.of(words).contains(word)) {
      throw value.wrong("one of " + String.join(", ", words));
    }
    return word;
  }

  private List<Function> devices(FileValue list, List<Group> groups) {
    var functions = new ArrayList<Function>();
    for (var each : list.elements()) {
      var device =
          each.members(
              "address",
              "bridges",
              "group",
              "driver",
              "model",
              "iommu",
              "deviceTreeNode",
              "irq",
              "numaNode",
              "canReset",
              "bars",
              "configSize",
              "config");
      var address = address(device.of("address"));
      var config = config(device.of("configSize"), device.of("config"));
      var iommu = device.of("iommu");
      var before =
          seen.put(
              address,
              new RecordedFacts.Device(
                  config,
                  device.of("canReset").truth(),
                  device.of("numaNode").integer(-1, 1 << 16),
                  iommu.isNull() ? null : iommu.text(WORD, "the name of an IOMMU, or null")));
      if (before != null) {
        throw device.of("address").wrong("an address that no other device has");
      }
      var function = function(address, device, config, groups);
      checkPath(function, functions, device.of("bridges"));
      functions.add(function);
    }
    return List.copyOf(functions);
  }

  /** A path names nothing twice, and the devices before agree with it. */
  private static void checkPath(Function function, List<Function> before, FileValue bridges) {
    var parents = function.parents();
    if (parents.contains(function.address()) || Set.copyOf(parents).size() < parents.size()) {
      throw bridges.wrong("bridges above the device, each once");
    }
    for (var other : before) {
      int place = parents.indexOf(other.address());
      int below = other.parents().indexOf(function.address());
      if ((place >= 0 && !parents.subList(0, place).equals(other.parents()))
          || (below >= 0 && !other.parents().subList(0, below).equals(parents))) {
        throw bridges.wrong("the path that device " + other.address() + " has too");
      }
    }
  }

  /** Whether this is the address of a PCI function, as sysfs has it. */
  static boolean isAddress(String text) {
    return ADDRESS.matcher(text).matches();
  }

  private static String address(FileValue value) {
    var text = value.text();
    if (!isAddress(text)) {
      throw value.wrong("an address such as 0000:01:00.0");
    }
    return text;
  }

  private static String config(FileValue size, FileValue lines) {
    int length = size.integer(64, 4096);
    if (length != 64 && length != 256 && length != 4096) {
      throw size.wrong("64, 256 or 4096");
    }
    var digits = new StringBuilder("0".repeat(2 * length));
    int next = 0;
    for (var each : lines.elements()) {
      var line = each.text(CONFIG_LINE, "an offset and 32 bytes, such as \"020: 00…\"");
      int at = Integer.parseInt(line.substring(0, 3), 16);
      if (at < next || at % RecordingWriter.CONFIG_LINE != 0 || at >= length) {
        throw each.wrong("offsets that rise in steps of 020, within the space");
      }
      next = at + RecordingWriter.CONFIG_LINE;
      digits.replace(2 * at, 2 * next, line.substring(5));
    }
    return digits.toString();
  }

  private static Function function(
      String address, FileValue.Members device, String config, List<Group> groups) {
    var group = device.of("group");
    int id = group.isNull() ? -1 : group.integer(0, LAST_GROUP);
    if (id >= 0 && groups.stream().noneMatch(each -> each.id() == id)) {
      throw group.wrong("the number of one of the groups, or null");
    }
    var driver = device.of("driver");
    var model = device.of("model");
    var node = device.of("deviceTreeNode");
    var bars = new ArrayList<BarPlace>();
    int next = 0;
    for (var each : device.of("bars").elements()) {
      var bar = bar(each);
      if (bar.bar() < next) {
        throw each.wrong("an index above those of the BARs before it");
      }
      next = bar.bar() + (bar.isWide() ? 2 : 1);
      bars.add(bar);
    }
    return new Function(
        address,
        device.of("bridges").elements().stream().map(RecordingReader::address).toList(),
        little(config, 0, 2),
        little(config, 2, 2),
        little(config, 9, 3),
        little(config, 8, 1),
        little(config, 4, 2),
        device.of("irq").integer(0, 1 << 20),
        id,
        driver.isNull() ? null : driver.text(WORD, "the name of a driver, or null"),
        serial(model),
        List.copyOf(bars),
        node.isNull() ? null : node.text(NODE, "a path such as pci@800000020000000/nvme@0"));
  }

  private static @Nullable String serial(FileValue model) {
    if (model.isNull()) {
      return null;
    }
    if (!model.text().equals("nvme")) {
      throw model.wrong("\"nvme\", the one model that a recorded device can have, or null");
    }
    return SERIAL;
  }

  private static BarPlace bar(FileValue value) {
    var bar = value.members("index", "hostAddress", "busAddress", "size", "flags");
    var place =
        new BarPlace(
            bar.of("index").integer(0, 5),
            bar.of("hostAddress").hexadecimal(),
            bar.of("busAddress").hexadecimal(),
            bar.of("size").hexadecimal(),
            bar.of("flags").hexadecimal());
    try {
      var _ =
          new Bar(
              place.bar(),
              place.byteSize(),
              place.isWide(),
              place.isPrefetchable(),
              place.hasPorts());
    } catch (IllegalArgumentException e) {
      throw value.wrong("a BAR that there can be (" + e.getMessage() + ")");
    }
    return place;
  }

  private static int little(String digits, int offset, int width) {
    int number = 0;
    for (int i = width - 1; i >= 0; i--) {
      int at = 2 * (offset + i);
      number = number << 8 | Integer.parseInt(digits.substring(at, at + 2), 16);
    }
    return number;
  }
}
