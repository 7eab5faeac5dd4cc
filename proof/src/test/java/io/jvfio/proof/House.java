// SPDX-License-Identifier: Apache-2.0
package io.jvfio.proof;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.classfile.AccessFlags;
import java.lang.classfile.AttributedElement;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassModel;
import java.lang.classfile.constantpool.ClassEntry;
import java.lang.classfile.constantpool.MethodTypeEntry;
import java.lang.classfile.constantpool.NameAndTypeEntry;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleReader;
import java.lang.reflect.AccessFlag;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** All types of all modules that people use or run, and what each of them uses. */
final class House {
  private static final Set<String> FOR_TESTS = Set.of("io.jvfio.proof", "io.jvfio.testkit");
  private static final Pattern DESCRIBED = Pattern.compile("L([\\w/$]+)[;<]");

  private final Map<String, ModuleDescriptor> modules = new TreeMap<>();
  private final Map<String, Type> types = new TreeMap<>();

  /**
   * A type, with all that is nested in it.
   *
   * @param parent the name of its superclass
   * @param uses the names of all others that its class files name
   * @param shows those that its public and protected members and its parents show
   */
  record Type(
      String name,
      String packageName,
      String module,
      String sourceFile,
      boolean isPublic,
      String parent,
      Set<String> uses,
      Set<String> shows) {}

  private House() {}

  static House built() {
    var house = new House();
    var layer = requireNonNull(House.class.getModule().getLayer());
    for (var resolved : layer.configuration().modules()) {
      var name = resolved.name();
      if ((name.equals("io.jvfio") || name.startsWith("io.jvfio.")) && !FOR_TESTS.contains(name)) {
        house.modules.put(name, resolved.reference().descriptor());
        try (var reader = resolved.reference().open()) {
          house.read(name, reader);
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return house;
  }

  private void read(String module, ModuleReader reader) throws IOException {
    try (var resources = reader.list()) {
      for (var resource : resources.filter(each -> each.endsWith(".class")).toList()) {
        if (!resource.endsWith("-info.class")) {
          try (var in = reader.open(resource).orElseThrow()) {
            add(module, ClassFile.of().parse(in.readAllBytes()));
          }
        }
      }
    }
  }

  private void add(String module, ClassModel model) {
    var name = outermost(model.thisClass().asInternalName());
    var packageName = name.substring(0, name.lastIndexOf('.'));
    var source =
        model.findAttribute(Attributes.sourceFile()).orElseThrow().sourceFile().stringValue();
    boolean isOutermost = !model.thisClass().asInternalName().contains("$");
    var type =
        types.computeIfAbsent(
            name,
            _ ->
                new Type(
                    name,
                    packageName,
                    module,
                    source,
                    false,
                    "",
                    new TreeSet<>(),
                    new TreeSet<>()));
    if (isOutermost) {
      boolean isPublic = model.flags().has(AccessFlag.PUBLIC);
      var parent = model.superclass().map(each -> outermost(each.asInternalName())).orElse("");
      types.put(
          name,
          new Type(name, packageName, module, source, isPublic, parent, type.uses(), type.shows()));
    }
    addUses(model, type.uses());
    addShown(model, type.shows());
    type.uses().remove(name);
    type.shows().remove(name);
  }

  private static void addUses(ClassModel model, Set<String> uses) {
    for (var entry : model.constantPool()) {
      switch (entry) {
        case ClassEntry each -> addName(each.asInternalName(), uses);
        case NameAndTypeEntry each -> addDescribed(each.type().stringValue(), uses);
        case MethodTypeEntry each -> addDescribed(each.descriptor().stringValue(), uses);
        default -> {
          // Numbers and text name no type.
        }
      }
    }
    addAnnotations(model, uses);
    for (var field : model.fields()) {
      addDescribed(field.fieldType().stringValue(), uses);
      addAnnotations(field, uses);
    }
    for (var method : model.methods()) {
      addDescribed(method.methodType().stringValue(), uses);
      addAnnotations(method, uses);
    }
  }

  private static void addAnnotations(AttributedElement element, Set<String> uses) {
    element
        .findAttribute(Attributes.runtimeVisibleAnnotations())
        .ifPresent(
            each ->
                each.annotations()
                    .forEach(one -> addDescribed(one.className().stringValue(), uses)));
  }

  private static void addShown(ClassModel model, Set<String> shows) {
    model.superclass().ifPresent(each -> addName(each.asInternalName(), shows));
    model.interfaces().forEach(each -> addName(each.asInternalName(), shows));
    model
        .findAttribute(Attributes.signature())
        .ifPresent(each -> addDescribed(each.signature().stringValue(), shows));
    model
        .findAttribute(Attributes.permittedSubclasses())
        .ifPresent(
            each ->
                each.permittedSubclasses()
                    .forEach(permitted -> addName(permitted.asInternalName(), shows)));
    for (var field : model.fields()) {
      if (isShown(field.flags())) {
        addDescribed(field.fieldType().stringValue(), shows);
        field
            .findAttribute(Attributes.signature())
            .ifPresent(each -> addDescribed(each.signature().stringValue(), shows));
      }
    }
    for (var method : model.methods()) {
      if (isShown(method.flags())) {
        addDescribed(method.methodType().stringValue(), shows);
        method
            .findAttribute(Attributes.signature())
            .ifPresent(each -> addDescribed(each.signature().stringValue(), shows));
        method
            .findAttribute(Attributes.exceptions())
            .ifPresent(
                each ->
                    each.exceptions().forEach(thrown -> addName(thrown.asInternalName(), shows)));
      }
    }
  }

  private static boolean isShown(AccessFlags flags) {
    return flags.has(AccessFlag.PUBLIC) || flags.has(AccessFlag.PROTECTED);
  }

  private static void addName(String internalName, Set<String> names) {
    if (internalName.startsWith("[")) {
      addDescribed(internalName, names);
    } else {
      names.add(outermost(internalName));
    }
  }

  private static void addDescribed(String descriptor, Set<String> names) {
    var matcher = DESCRIBED.matcher(descriptor);
    while (matcher.find()) {
      names.add(outermost(matcher.group(1)));
    }
  }

  private static String outermost(String internalName) {
    int nested = internalName.indexOf('$');
    return (nested < 0 ? internalName : internalName.substring(0, nested)).replace('/', '.');
  }

  Set<String> modules() {
    return modules.keySet();
  }

  ModuleDescriptor descriptor(String module) {
    return requireNonNull(modules.get(module), module);
  }

  Collection<Type> types() {
    return types.values();
  }

  Type type(String name) {
    return requireNonNull(types.get(name), name);
  }

  Collection<Type> typesOf(String module) {
    return types.values().stream().filter(each -> each.module().equals(module)).toList();
  }

  /** The types of the house that a type uses. */
  Collection<Type> usedBy(Type type) {
    return type.uses().stream().filter(types::containsKey).map(this::type).toList();
  }

  /** The types of the house that a type shows, and the exceptions that it may throw. */
  Collection<Type> shownBy(Type type) {
    var shown = new TreeSet<>(type.shows());
    usedBy(type).stream().filter(this::isThrown).map(Type::name).forEach(shown::add);
    return shown.stream().filter(types::containsKey).map(this::type).toList();
  }

  private boolean isThrown(Type type) {
    var parent = types.get(type.parent());
    return parent != null
        ? isThrown(parent)
        : type.parent().matches("java\\..*(Exception|Error|Throwable)");
  }

  /** Whether a module requires another one, or one that passes it on. */
  boolean reads(String module, String other) {
    return descriptor(module).requires().stream()
        .anyMatch(
            each ->
                each.name().equals(other)
                    || (modules.containsKey(each.name()) && passesOn(each.name(), other)));
  }

  private boolean passesOn(String module, String other) {
    return descriptor(module).requires().stream()
        .filter(each -> each.modifiers().contains(ModuleDescriptor.Requires.Modifier.TRANSITIVE))
        .anyMatch(
            each ->
                each.name().equals(other)
                    || (modules.containsKey(each.name()) && passesOn(each.name(), other)));
  }

  /** Whether a type is in a package that its module does not export. */
  boolean isRoom(Type type) {
    return descriptor(type.module()).exports().stream()
        .noneMatch(each -> each.source().equals(type.packageName()));
  }

  /** Whether a type is public, in a package that is exported to everybody. */
  boolean isApi(Type type) {
    return type.isPublic()
        && descriptor(type.module()).exports().stream()
            .anyMatch(each -> each.source().equals(type.packageName()) && !each.isQualified());
  }
}
